#include "tests/emulator/device_memory.h"

#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/emulator/race.h"
#include "tests/emulator/sanitizer.h"

namespace drape::emulator {
namespace {

constexpr std::size_t kBounds = 256;
// Poisoned, before and behind a block: a few rows of a tensor.
constexpr std::size_t kRedzone = 4096;

std::size_t with_redzones(std::size_t bytes) {
  return (bytes + kBounds - 1) / kBounds * kBounds + 2 * kRedzone;
}

std::map<char*, std::size_t>& blocks() {
  static std::map<char*, std::size_t> all;
  return all;
}

std::int64_t allocations_left = kUnlimited;

int open = 0;  // DeviceMemoryAccess objects that live

}  // namespace

void limit_allocations(std::int64_t count) {
  allocations_left = count;
}

void* allocate_device_memory(std::size_t bytes) {
  if (allocations_left == 0) return nullptr;
  if (allocations_left != kUnlimited) --allocations_left;
  auto* memory = static_cast<char*>(std::aligned_alloc(kBounds, with_redzones(bytes)));
  if (memory == nullptr) return nullptr;
  char* const block = memory + kRedzone;
  std::memset(block, 0xFF, bytes);
  poison(memory, with_redzones(bytes));
  if (open > 0) unpoison(block, bytes);
  blocks()[block] = bytes;
  race::add_region(block, bytes, race::Memory::global);
  return block;
}

bool release_device_memory(void* block) {
  const auto found = blocks().find(static_cast<char*>(block));
  if (found == blocks().end()) return false;
  race::remove_region(block);
  char* const memory = found->first - kRedzone;
  unpoison(memory, with_redzones(found->second));
  blocks().erase(found);
  std::free(memory);
  return true;
}

bool is_device_memory(const void* address, std::size_t bytes) {
  const auto* first = static_cast<const char*>(address);
  auto above = blocks().upper_bound(const_cast<char*>(first));
  if (above == blocks().begin()) return false;
  const auto& [block, size] = *--above;
  return first + bytes <= block + size;
}

std::size_t device_blocks() {
  return blocks().size();
}

DeviceMemoryAccess::DeviceMemoryAccess() {
  if (open++ > 0) return;
  for (const auto& [block, bytes] : blocks()) unpoison(block, bytes);
}

DeviceMemoryAccess::~DeviceMemoryAccess() {
  if (--open > 0) return;
  for (const auto& [block, bytes] : blocks()) poison(block, bytes);
}

}  // namespace drape::emulator
