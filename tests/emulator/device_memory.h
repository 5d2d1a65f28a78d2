// The emulated device's memory: blocks of the host's that host code may not touch, except inside a
// launch or a copy. AddressSanitizer says so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/emulator/at_work.h"

namespace drape::emulator {

inline constexpr std::int64_t kUnlimited = INT64_MAX;

/// So many allocations from here on succeed, and no more.
void limit_allocations(std::int64_t count);

/// A block on 256-byte bounds, every byte 0xFF: NaN for whoever forgets to write it. Null when
/// memory is exhausted.
void* allocate_device_memory(std::size_t bytes);

/// False if the block is not one that allocate_device_memory() returned.
bool release_device_memory(void* block);

/// Whether all of this lies in one block of device memory.
bool is_device_memory(const void* address, std::size_t bytes);

/// Blocks that are allocated.
std::size_t device_blocks();

/// While one lives, host code may touch device memory: it is a kernel, or a copy.
class DeviceMemoryAccess {
 public:
  DeviceMemoryAccess();
  ~DeviceMemoryAccess();
  DeviceMemoryAccess(const DeviceMemoryAccess&) = delete;
  DeviceMemoryAccess& operator=(const DeviceMemoryAccess&) = delete;

 private:
  AtWork at_work_;
};

}  // namespace drape::emulator
