#include "kernels/memory.h"

#include <cstdlib>
#include <cstring>

#include "kernels/blocks.h"
#include "kernels/parallel.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace drape::kernels {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::int64_t kSpareBytes = std::int64_t{64} << 20;  // a system promises more than it has

// Never destroyed: tensors may live longer than any static object.
Blocks& blocks() {
  static Blocks& instance =
      *new Blocks({.bounds = kAlignment,
                   .place = "",
                   .take = [](std::size_t bytes) { return std::aligned_alloc(kAlignment, bytes); },
                   .give_back = [](void* block, std::size_t) { std::free(block); },
                   .spare = kSpareBytes});
  return instance;
}

}  // namespace

void* allocate(Cpu, std::size_t bytes) {
  return blocks().take(bytes);
}

void release(Cpu, void* block, std::size_t bytes) noexcept {
  blocks().give_back(block, bytes);
}

void trim(Cpu) {
  blocks().trim();
#if defined(__GLIBC__)
  ::malloc_trim(0);  // free() alone keeps what lies below a block in use
#endif
}

void fill_zero(Cpu, void* block, std::size_t bytes) {
  parallel_ranges(
      static_cast<std::int64_t>(bytes), 1 << 18, [&](std::int64_t begin, std::int64_t end) {
        std::memset(static_cast<char*>(block) + begin, 0, static_cast<std::size_t>(end - begin));
      });
}

void copy(Cpu, void* to, const void* from, std::size_t bytes) {
  if (bytes != 0) std::memcpy(to, from, bytes);
}

void copy_to_device(Cpu cpu, void* to, const void* from, std::size_t bytes) {
  copy(cpu, to, from, bytes);
}

void copy_to_host(Cpu cpu, void* to, const void* from, std::size_t bytes) {
  copy(cpu, to, from, bytes);
}

void synchronize(Cpu) {}

MemoryUse memory_use(Cpu) {
  return blocks().use();
}

}  // namespace drape::kernels
