// Fibers: stacks of their own that one host thread switches between.
#pragma once

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace drape::emulator {

class Fiber {
 public:
  /// The stack that the host thread runs on now.
  Fiber() = default;
  /// A stack of its own, on which the first switch calls entry(), which must not return.
  Fiber(std::size_t bytes, void (*entry)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Forgets what was running; the next switch calls entry() again.
  void reset();

  /// Leaves `from`, which must be the running fiber, and goes on in `to`.
  static void switch_between(Fiber& from, Fiber& to);
  /// To be called first in entry(), with the host thread's fiber.
  static void entered(Fiber& host);

 private:
  char* stack_ = nullptr;
  std::size_t bytes_ = 0;
  void (*entry_)() = nullptr;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
#if defined(__x86_64__)
  void* stack_pointer_ = nullptr;
#else
  ucontext_t context_{};
#endif
};

}  // namespace drape::emulator
