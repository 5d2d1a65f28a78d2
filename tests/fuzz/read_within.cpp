#include "tests/fuzz/read_within.h"

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace drape::fuzz {
namespace {

thread_local bool watching = false;
thread_local std::ptrdiff_t held = 0, most_held = 0;

void on_allocation(const volatile void*, std::size_t bytes) {
  if (!watching) return;
  held += static_cast<std::ptrdiff_t>(bytes);
  most_held = std::max(most_held, held);
}

void on_release(const volatile void* block) {
  if (watching)
    held -=
        static_cast<std::ptrdiff_t>(__sanitizer_get_allocated_size(const_cast<const void*>(block)));
}

const int hooks = __sanitizer_install_malloc_and_free_hooks(on_allocation, on_release);

}  // namespace

HeapWatch::HeapWatch() {
  if (hooks == 0) std::abort();
  held = most_held = 0;
  watching = true;
}

HeapWatch::~HeapWatch() {
  watching = false;
}

void HeapWatch::expect_at_most(std::size_t most) const {
  watching = false;
  if (most_held <= static_cast<std::ptrdiff_t>(most)) return;
  std::fprintf(stderr, "heap: expected at most %zu bytes, got %td\n", most, most_held);
  std::abort();
}

}  // namespace drape::fuzz
