// What a piece of work asks of the heap: operator new is counted in the binaries of tests.
#pragma once

#include <cstdint>

namespace drape::tests {

/// Calls of operator new so far, on all threads; those of the emulator at its work are left out.
std::int64_t heap_allocations();

/// Blocks of operator new that were not given back so far: what leaks adds to it.
std::int64_t heap_blocks();

/// While it lives, the n-th call of operator new on this thread, counted from 1, throws
/// std::bad_alloc.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::int64_t n);
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  ~FailingAllocation();

  bool struck() const;
};

}  // namespace drape::tests
