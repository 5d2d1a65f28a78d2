#include "tests/emulator/fiber.h"

#include <sys/mman.h>

#include <new>

#include "tests/emulator/sanitizer.h"

#if defined(__x86_64__)
// Saves the registers that a call must preserve, changes the stack, and restores them from there.
asm(R"(
.pushsection .text
.type drape_switch_stack, @function
drape_switch_stack:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size drape_switch_stack, .-drape_switch_stack
.popsection
)");
extern "C" void drape_switch_stack(void** save, void* load);
#endif

namespace drape::emulator {
namespace {

constexpr std::size_t kGuardPage = 4096;

}  // namespace

Fiber::Fiber(std::size_t bytes, void (*entry)()) : bytes_(bytes), entry_(entry) {
  void* block = mmap(nullptr, bytes + kGuardPage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  mprotect(block, kGuardPage, PROT_NONE);  // an overflow faults instead of writing elsewhere
  stack_ = static_cast<char*>(block) + kGuardPage;
  reset();
}

Fiber::~Fiber() {
  if (entry_ == nullptr) return;
  unpoison(stack_, bytes_);
  munmap(stack_ - kGuardPage, bytes_ + kGuardPage);
}

void Fiber::reset() {
  unpoison(stack_, bytes_);
  fake_stack_ = nullptr;
#if defined(__x86_64__)
  void** top = reinterpret_cast<void**>(stack_ + bytes_ - 32);
  top[1] = nullptr;  // where entry() would return to
  top[0] = reinterpret_cast<void*>(entry_);
  for (int saved_register = 1; saved_register <= 6; ++saved_register)
    top[-saved_register] = nullptr;
  stack_pointer_ = top - 6;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_;
  context_.uc_stack.ss_size = bytes_;
  context_.uc_link = nullptr;
  makecontext(&context_, entry_, 0);
#endif
}

void Fiber::switch_between(Fiber& from, Fiber& to) {
  start_switch(&from.fake_stack_, to.stack_, to.bytes_);
#if defined(__x86_64__)
  drape_switch_stack(&from.stack_pointer_, to.stack_pointer_);
#else
  swapcontext(&from.context_, &to.context_);
#endif
  finish_switch(from.fake_stack_, nullptr, nullptr);
}

void Fiber::entered(Fiber& host) {
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  finish_switch(nullptr, &bottom, &bytes);
  if (host.bytes_ == 0 && bytes != 0) {
    host.stack_ = static_cast<char*>(const_cast<void*>(bottom));
    host.bytes_ = bytes;
  }
}

}  // namespace drape::emulator
