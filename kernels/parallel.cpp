#include "kernels/parallel.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

#include "kernels/error.h"

namespace drape::kernels {
namespace {

thread_local bool inside_task = false;

int available_cores() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

// A fixed team. Every loop bumps `round_`; the members and the caller then take task indices from
// `next_` until none is left, and the last member to finish lets the caller go on.
class Pool {
 public:
  /// Error if the system does not start so many threads.
  explicit Pool(int threads) {
    try {
      for (int i = 1; i < threads; ++i) members_.emplace_back([this] { serve(); });
    } catch (const std::exception& error) {
      const std::string started = std::to_string(this->threads());
      stop();
      throw Error("threads: expected " + std::to_string(threads) + ", got " + started + ": " +
                  error.what());
    }
  }
  ~Pool() { stop(); }

  int threads() const { return static_cast<int>(members_.size()) + 1; }

  void run(std::int64_t count, const Task& task) {
    const std::lock_guard one_loop_at_a_time(loop_);
    task_ = &task;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<std::uint32_t>(members_.size()), std::memory_order_relaxed);
    start_round();
    work();
    for (std::uint32_t left; (left = spin(busy_, 0)) != 0;)
      busy_.wait(left, std::memory_order_acquire);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  void stop() {
    stopping_ = true;
    start_round();
    for (std::thread& member : members_) member.join();
  }

  // Waking a sleeper costs several microseconds, about as much as a small task: look a while before
  // sleeping. Returns the value last seen, which is `until` unless patience ran out.
  static std::uint32_t spin(const std::atomic<std::uint32_t>& value, std::uint32_t until) {
    std::uint32_t seen = value.load(std::memory_order_acquire);
    for (int i = 0; i < 4000 && seen != until; ++i) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
      seen = value.load(std::memory_order_acquire);
    }
    return seen;
  }

  void start_round() {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }

  void serve() {
    for (std::uint32_t seen = 0; true; ++seen) {  // starts anew behind the last, as round_ does
      spin(round_, seen + 1);
      round_.wait(seen, std::memory_order_acquire);
      if (stopping_) return;
      work();
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_all();
    }
  }

  void work() {
    inside_task = true;
    for (std::int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
      try {
        (*task_)(i);
      } catch (...) {
        const std::lock_guard lock(failing_);
        if (!failure_) failure_ = std::current_exception();
        next_.store(count_, std::memory_order_relaxed);
      }
    }
    inside_task = false;
  }

  std::mutex loop_, failing_;
  const Task* task_ = nullptr;
  std::int64_t count_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::uint32_t> round_{0}, busy_{0};
  std::atomic<bool> stopping_{false};
  std::exception_ptr failure_;
  std::vector<std::thread> members_;
};

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> instance = std::make_unique<Pool>(available_cores());
  return instance;
}

}  // namespace

int thread_count() {
  return pool()->threads();
}

void set_thread_count(int count) {
  if (count < 1 || count > 1024) {
    throw Error("threads: expected 1 to 1024, got " + std::to_string(count));
  }
  if (count != thread_count()) pool() = std::make_unique<Pool>(count);
}

void parallel_for(std::int64_t count, const Task& task) {
  if (count <= 0) return;
  if (inside_task || count == 1 || thread_count() == 1) {
    for (std::int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  pool()->run(count, task);
}

}  // namespace drape::kernels
