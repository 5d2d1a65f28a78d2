#include "tests/emulator/shared_memory.h"

#include <cstdlib>
#include <cstring>

#include "kernels/cuda.cuh"
#include "tests/emulator/race.h"
#include "tests/emulator/sanitizer.h"

namespace drape::emulator {
namespace {

constexpr std::size_t kArenaBytes = 512 << 10, kRedzone = 64;
constexpr std::size_t kMostStatic = 48 << 10, kMost = 227 << 10;

}  // namespace

SharedMemory::SharedMemory() : arena_(static_cast<char*>(std::aligned_alloc(4096, kArenaBytes))) {
  race::add_region(arena_, kArenaBytes, race::Memory::shared);
}

SharedMemory::~SharedMemory() {
  race::remove_region(arena_);
  unpoison(arena_, kArenaBytes);
  std::free(arena_);
}

void SharedMemory::start_launch(std::size_t dynamic_bytes) {
  poison(arena_, kArenaBytes);
  variables_.clear();
  used_ = static_bytes_ = 0;
  dynamic_bytes_ = dynamic_bytes;
  dynamic_ = dynamic_bytes == 0 ? nullptr : add(&dynamic_, dynamic_bytes);
}

void SharedMemory::start_block() {
  for (const Variable& variable : variables_) std::memset(variable.data, 0xFF, variable.bytes);
}

void* SharedMemory::variable(const void* key, std::size_t bytes) {
  for (const Variable& variable : variables_) {
    if (variable.key == key) return variable.data;
  }
  static_bytes_ += bytes;
  const bool asked = dynamic_bytes_ > kernels::kWithoutAsking;
  if (static_bytes_ > kMostStatic) return nullptr;
  if (static_bytes_ + dynamic_bytes_ > (asked ? kMost : kMostStatic)) return nullptr;
  return add(key, bytes);
}

char* SharedMemory::add(const void* key, std::size_t bytes) {
  used_ = (used_ + kRedzone + 255) / 256 * 256;
  char* data = arena_ + used_;
  used_ += bytes;
  unpoison(data, bytes);
  std::memset(data, 0xFF, bytes);
  variables_.push_back({key, data, bytes});
  return data;
}

}  // namespace drape::emulator
