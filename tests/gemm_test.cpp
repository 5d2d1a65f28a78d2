// Products while signals come.
#include "kernels/gemm.h"

#include <omp.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "tests/catch.h"

namespace drape::tests {
namespace {

std::uintptr_t stack_begin = 0, stack_end = 0;  // of this thread
volatile sig_atomic_t handled = 0, strayed = 0;

void find_stack() {
  pthread_attr_t attributes;
  void* begin = nullptr;
  std::size_t bytes = 0;
  REQUIRE(pthread_getattr_np(pthread_self(), &attributes) == 0);
  REQUIRE(pthread_attr_getstack(&attributes, &begin, &bytes) == 0);
  pthread_attr_destroy(&attributes);
  stack_begin = reinterpret_cast<std::uintptr_t>(begin);
  stack_end = stack_begin + bytes;
}

// Its frame lies where the stack pointer was.
void look_at_stack(int) {
  const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  if (frame < stack_begin || frame >= stack_end) strayed = strayed + 1;
  handled = handled + 1;
}

}  // namespace

TEST_CASE("a signal during a product finds the stack pointer on the stack", "[gemm]") {
  find_stack();
  constexpr std::int64_t kSize = 192;
  const std::vector<float> a(kSize * kSize, 1.0f), b(kSize * kSize, 2.0f);
  std::vector<float> c(kSize * kSize);
  struct sigaction action = {}, before = {};
  action.sa_handler = look_at_stack;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGALRM, &action, &before);
  std::atomic<bool> enough = false;
  std::thread sender([&, receiver = pthread_self()] {
    while (!enough) {
      pthread_kill(receiver, SIGALRM);
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  const auto begun = std::chrono::steady_clock::now();
  while (handled < 2000 && std::chrono::steady_clock::now() - begun < std::chrono::seconds(20)) {
    for (const kernels::Use use : {kernels::Use::plain, kernels::Use::transposed}) {
      kernels::gemm<float>(kSize, kSize, kSize, {a.data(), kSize, use}, {b.data(), kSize},
                           kernels::Output::replace, c.data(), kSize);
    }
  }
  enough = true;
  sender.join();
  ::sigaction(SIGALRM, &before, nullptr);
  CHECK(handled >= 2000);
  CHECK(strayed == 0);
  CHECK(c.front() == 2.0f * kSize);
}

TEST_CASE("a product leaves the threads of its caller's OpenMP loops alone", "[gemm]") {
  const int before = omp_get_max_threads();
  omp_set_num_threads(7);
  const std::vector<float> a{1, 2, 3, 4};
  std::vector<float> c(4);
  kernels::gemm<float>(2, 2, 2, {a.data(), 2}, {a.data(), 2}, kernels::Output::replace, c.data(),
                       2);
  CHECK(c == std::vector<float>{7, 10, 15, 22});
  CHECK(omp_get_max_threads() == 7);
  omp_set_num_threads(before);
}

}  // namespace drape::tests
