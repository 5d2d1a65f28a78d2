// What a piece of work asks of the heap: operator new is counted in the binaries of tests.
#pragma once

#include <cstdint>

namespace drape::tests {

/// Calls of operator new so far, on all threads; those of the emulator at its work are left out.
std::int64_t heap_allocations();

}  // namespace drape::tests
