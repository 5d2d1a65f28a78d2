// The thread pool: each index once, exceptions, nesting, several callers.
#include "kernels/parallel.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernels/error.h"
#include "tests/catch.h"

namespace drape::tests {
namespace {

// Runs the rest of a test with this many threads.
class Threads {
 public:
  explicit Threads(int count) { kernels::set_thread_count(count); }
  ~Threads() { kernels::set_thread_count(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_ = kernels::thread_count();
};

// How often each of `count` indices was called, in one loop.
std::vector<int> calls(std::int64_t count) {
  std::vector<std::atomic<int>> counted(static_cast<std::size_t>(count));
  kernels::parallel_for(count, [&](std::int64_t i) { ++counted[static_cast<std::size_t>(i)]; });
  return {counted.begin(), counted.end()};
}

}  // namespace

TEST_CASE("parallel_for calls each index once", "[parallel]") {
  for (const int threads : {1, 2, 3, 8}) {
    const Threads use(threads);
    CHECK(kernels::thread_count() == threads);
    for (const std::int64_t count : {0, 1, 2, 3, 7, 64, 1000}) {
      CHECK(calls(count) == std::vector<int>(static_cast<std::size_t>(count), 1));
    }
  }
}

TEST_CASE("parallel_for sees what was written before and shows what it wrote", "[parallel]") {
  const Threads use(4);
  std::vector<std::int64_t> numbers(64, 0);
  for (int loop = 0; loop < 500; ++loop) {
    kernels::parallel_for(64, [&](std::int64_t i) { numbers[static_cast<std::size_t>(i)] += i; });
  }
  for (std::size_t i = 0; i < 64; ++i) CHECK(numbers[i] == 500 * static_cast<std::int64_t>(i));
}

TEST_CASE("parallel_for rethrows a task's exception and works again after it", "[parallel]") {
  for (const int threads : {1, 4}) {
    const Threads use(threads);
    for (int repeat = 0; repeat < 20; ++repeat) {
      CHECK_THROWS_WITH(kernels::parallel_for(100,
                                              [](std::int64_t i) {
                                                if (i == 37) throw std::runtime_error("task 37");
                                              }),
                        "task 37");
      CHECK(calls(50) == std::vector<int>(50, 1));
    }
  }
}

TEST_CASE("a loop inside a task runs in place", "[parallel]") {
  const Threads use(4);
  std::vector<std::atomic<int>> counted(60);
  kernels::parallel_for(6, [&](std::int64_t i) {
    const std::thread::id here = std::this_thread::get_id();
    kernels::parallel_for(10, [&](std::int64_t j) {
      if (std::this_thread::get_id() == here) ++counted[static_cast<std::size_t>(10 * i + j)];
    });
  });
  CHECK(std::accumulate(counted.begin(), counted.end(), 0) == 60);
}

TEST_CASE("loops of several callers do not mix", "[parallel]") {
  const Threads use(3);
  std::vector<int> wrong(3, 0);
  std::vector<std::thread> callers;
  for (std::size_t caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&wrong, caller] {
      for (int loop = 0; loop < 200; ++loop) {
        wrong[caller] += calls(17) == std::vector<int>(17, 1) ? 0 : 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == std::vector<int>(3, 0));
}

TEST_CASE("parts cover all items in order, and their sizes differ by at most one", "[parallel]") {
  for (std::int64_t items = 0; items < 40; ++items) {
    for (std::int64_t tasks = 1; tasks < 12; ++tasks) {
      std::int64_t next = 0;
      for (std::int64_t i = 0; i < tasks; ++i) {
        const kernels::Range range = kernels::part(items, tasks, i);
        REQUIRE(range.begin == next);
        REQUIRE(range.size() >= items / tasks);
        REQUIRE(range.size() <= items / tasks + 1);
        next = range.end;
      }
      REQUIRE(next == items);
    }
  }
}

TEST_CASE("parallel_ranges covers each item once in parts of at least the grain", "[parallel]") {
  const Threads use(4);
  for (const std::int64_t items : {0, 1, 9, 10, 19, 20, 1000, 100000}) {
    std::vector<int> counted(static_cast<std::size_t>(items), 0);
    std::atomic<bool> small{false};
    kernels::parallel_ranges(items, 10, [&](std::int64_t begin, std::int64_t end) {
      if (end - begin < std::min<std::int64_t>(items, 10)) small = true;
      for (std::int64_t i = begin; i < end; ++i) ++counted[static_cast<std::size_t>(i)];
    });
    CHECK(counted == std::vector<int>(static_cast<std::size_t>(items), 1));
    CHECK_FALSE(small);
  }
}

TEST_CASE("the number of threads is 1 to 1024", "[parallel]") {
  CHECK_THROWS_WITH(kernels::set_thread_count(0), "threads: expected 1 to 1024, got 0");
  CHECK_THROWS_AS(kernels::set_thread_count(1025), Error);
  CHECK(kernels::thread_count() >= 1);
}

}  // namespace drape::tests
