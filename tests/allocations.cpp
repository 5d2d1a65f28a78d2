#include "tests/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(DRAPE_EMULATED)
#include "tests/emulator/at_work.h"
#endif

namespace drape::tests {
namespace {

std::atomic<std::int64_t> requests{0}, blocks{0};
thread_local std::int64_t until_failure = 0;  // calls; 0: none fails

bool counts() {
#if defined(DRAPE_EMULATED)
  return !emulator::AtWork::now();
#else
  return true;
#endif
}

void* counted(void* block) {
  const bool fails = until_failure > 0 && --until_failure == 0;
  if (fails) std::free(block);
  if (fails || block == nullptr) throw std::bad_alloc();
  if (counts()) requests.fetch_add(1, std::memory_order_relaxed);
  blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void give_back(void* block) {
  if (block != nullptr) blocks.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

std::int64_t heap_allocations() {
  return requests;
}

std::int64_t heap_blocks() {
  return blocks;
}

FailingAllocation::FailingAllocation(std::int64_t n) {
  until_failure = n;
}

FailingAllocation::~FailingAllocation() {
  until_failure = 0;
}

bool FailingAllocation::struck() const {
  return until_failure == 0;
}

}  // namespace drape::tests

// The other forms of new and delete call these; those of a sanitizer, which do not, are paired.
void* operator new(std::size_t bytes) {
  return drape::tests::counted(std::malloc(bytes == 0 ? 1 : bytes));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return operator new(bytes);
  } catch (...) {
    return nullptr;
  }
}
void* operator new(std::size_t bytes, std::align_val_t bounds) {
  const auto alignment = static_cast<std::size_t>(bounds);
  return drape::tests::counted(
      std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment));
}
void operator delete(void* block) noexcept {
  drape::tests::give_back(block);
}
void operator delete(void* block, std::size_t) noexcept {
  drape::tests::give_back(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  drape::tests::give_back(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  drape::tests::give_back(block);
}
