// Memory of tensors, and of what a training step needs beside them. Blocks are kept after use and
// handed out again by size, so that a steady training loop asks neither the system nor the device
// for any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"

namespace drape::kernels {

/// A block of at least `bytes` bytes on 64-byte bounds, its content undefined. Error when memory is
/// exhausted.
void* allocate(Cpu, std::size_t bytes);

/// Gives back a block that allocate() returned for `bytes`.
void release(Cpu, void* block, std::size_t bytes) noexcept;

/// Gives blocks that are kept for reuse back to the system.
void trim(Cpu);

/// Sets bytes to zero.
void fill_zero(Cpu, void* block, std::size_t bytes);

/// Copies `bytes` between two CPU blocks that do not overlap.
void copy(Cpu, void* to, const void* from, std::size_t bytes);

/// Bounds, in bytes, of blocks on the device, which CUDA's libraries expect of arrays.
inline constexpr std::size_t kDeviceBounds = 256;

/// The same on the device, in the order of the tag's stream. Blocks are on kDeviceBounds.
void* allocate(Cuda, std::size_t bytes);
void release(Cuda, void* block, std::size_t bytes) noexcept;
void trim(Cuda);
void fill_zero(Cuda, void* block, std::size_t bytes);
void copy(Cuda, void* to, const void* from, std::size_t bytes);

/// Copies between the host and the tag's device; done when it returns.
void copy_to_device(Cpu, void* to, const void* from, std::size_t bytes);
void copy_to_device(Cuda, void* to, const void* from, std::size_t bytes);
void copy_to_host(Cpu, void* to, const void* from, std::size_t bytes);
void copy_to_host(Cuda, void* to, const void* from, std::size_t bytes);

/// Returns when everything that was asked of the backend is done.
void synchronize(Cpu);
void synchronize(Cuda);

/// Of one backend: bytes and blocks that are allocated and not released, the most bytes there ever
/// were, and how often a block had to be asked of the system.
struct MemoryUse {
  std::int64_t bytes = 0, blocks = 0, peak_bytes = 0, from_system = 0;
};
MemoryUse memory_use(Cpu);
MemoryUse memory_use(Cuda);

/// The allocator of standard containers on the host whose memory is of the CPU's blocks.
template <class T>
struct Recycled {
  using value_type = T;

  Recycled() = default;
  template <class Other>
  Recycled(const Recycled<Other>&) {}

  T* allocate(std::size_t count) {
    return static_cast<T*>(kernels::allocate(Cpu{}, count * sizeof(T)));
  }
  void deallocate(T* block, std::size_t count) noexcept {
    kernels::release(Cpu{}, block, count * sizeof(T));
  }
  friend bool operator==(Recycled, Recycled) { return true; }
};

template <class T>
using RecycledVector = std::vector<T, Recycled<T>>;

/// An array of T that a CPU kernel needs while it runs; its elements are undefined at first.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::int64_t size)
      : bytes_(static_cast<std::size_t>(size) * sizeof(T)),
        data_(static_cast<T*>(allocate(Cpu{}, bytes_))) {}
  ~Buffer() { release(Cpu{}, data_, bytes_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](std::int64_t i) { return data_[i]; }
  const T& operator[](std::int64_t i) const { return data_[i]; }

 private:
  std::size_t bytes_;
  T* data_;
};

}  // namespace drape::kernels
