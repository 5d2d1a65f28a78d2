// CUDA for a host compiler: what a kernel sees when its .cu file is compiled as C++. Blocks run one
// after the other, their threads as fibers; kernel bodies do not know. kernels/cuda.cuh includes
// this header in place of the CUDA runtime's.
#pragma once

#include <vector_functions.h>
#include <vector_types.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/error.h"
#include "tests/emulator/graph.h"

// In the toolkit's host headers __shared__ is empty, and a shared variable would silently be one
// per thread: DRAPE_SHARED it is.
#undef __shared__
#define __shared__ "use DRAPE_SHARED"
#undef __launch_bounds__
#define __launch_bounds__(...)

namespace drape::emulator {

/// Where a kernel called a function that threads wait in.
struct Site {
  const char *function, *file;
  int line;
};

/// What the running thread reads as threadIdx and so on.
struct Builtins {
  uint3 thread, block;
  dim3 block_size, grid_size;
};
extern constinit thread_local Builtins builtins;

/// Runs a kernel to its end: `invoke(arguments)` once per thread of every block. Error naming
/// thread, file and line if threads do not meet at their barriers; Error if the launch is one that
/// a device would refuse.
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, void (*invoke)(const void*),
            const void* arguments);

/// Writes the address of a kernel, as `nm` gives it, and the program's first argument to the file
/// that DRAPE_LAUNCH_LOG names: once a process.
void note_launch(const void* kernel);

/// Waits for all threads of the block, and counts those whose vote is not 0.
int wait_for_block(bool vote, const Site& site);

/// Waits for the lanes of a warp in `mask`. `exchange`: returns the value of lane `source`; `vote`:
/// a bit for every lane whose value is not 0; `gather`: see gather_warp().
enum class WarpOp : std::uint8_t { wait, exchange, vote, gather };
std::uint64_t wait_for_warp(WarpOp op, std::uint32_t mask, std::uint64_t value, int source,
                            const Site& site);

/// Waits for all 32 lanes of the warp: all[i] becomes what lane i gives, of `bytes` each.
void gather_warp(const void* mine, std::size_t bytes, void* all, const Site& site);

/// The running thread's place in its warp.
int lane();

/// The block's shared variable of that key; the launch's dynamic shared memory.
void* shared_variable(const void* key, std::size_t bytes);
void* dynamic_shared_memory();

/// Called around atomic operations: the race detector treats them apart.
void begin_atomic(const volatile void* address, std::size_t bytes);
void end_atomic();

template <class T>
T exchange(const Site& site, std::uint32_t mask, T value, int source) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = wait_for_warp(WarpOp::exchange, mask, bits, source, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

template <class T>
T shuffle(const Site& site, std::uint32_t mask, T value, int source, int width = 32) {
  return exchange(site, mask, value, (lane() & ~(width - 1)) | (source & (width - 1)));
}
template <class T>
T shuffle_up(const Site& site, std::uint32_t mask, T value, unsigned distance, int width = 32) {
  const int me = lane(), source = me - static_cast<int>(distance);
  return exchange(site, mask, value, source < (me & ~(width - 1)) ? me : source);
}
template <class T>
T shuffle_down(const Site& site, std::uint32_t mask, T value, unsigned distance, int width = 32) {
  const int me = lane(), source = me + static_cast<int>(distance);
  return exchange(site, mask, value, source > (me | (width - 1)) ? me : source);
}
template <class T>
T shuffle_xor(const Site& site, std::uint32_t mask, T value, int bits, int width = 32) {
  const int me = lane(), source = me ^ bits;
  return exchange(site, mask, value, source > (me | (width - 1)) ? me : source);
}

/// Replaces *address by change(*address), in one step; returns what was there.
template <class T, class Change>
T replace(T* address, Change&& change) {
  begin_atomic(address, sizeof(T));
  const T old = *address;
  *address = change(old);
  end_atomic();
  return old;
}

}  // namespace drape::emulator

#define threadIdx (::drape::emulator::builtins.thread)
#define blockIdx (::drape::emulator::builtins.block)
#define blockDim (::drape::emulator::builtins.block_size)
#define gridDim (::drape::emulator::builtins.grid_size)
inline constexpr int warpSize = 32;

#define DRAPE_SITE(function) (::drape::emulator::Site{function, __FILE__, __LINE__})
#define __syncthreads() \
  (static_cast<void>(::drape::emulator::wait_for_block(false, DRAPE_SITE("__syncthreads"))))
#define __syncthreads_count(vote) \
  (::drape::emulator::wait_for_block((vote) != 0, DRAPE_SITE("__syncthreads_count")))
#define __syncthreads_or(vote) (__syncthreads_count(vote) != 0)
#define __syncwarp()                                                                              \
  (static_cast<void>(::drape::emulator::wait_for_warp(::drape::emulator::WarpOp::wait, ~0u, 0, 0, \
                                                      DRAPE_SITE("__syncwarp"))))
#define __ballot_sync(mask, yes)                           \
  (static_cast<unsigned>(::drape::emulator::wait_for_warp( \
      ::drape::emulator::WarpOp::vote, mask, (yes) != 0, 0, DRAPE_SITE("__ballot_sync"))))
#define __shfl_sync(...) (::drape::emulator::shuffle(DRAPE_SITE("__shfl_sync"), __VA_ARGS__))
#define __shfl_up_sync(...) \
  (::drape::emulator::shuffle_up(DRAPE_SITE("__shfl_up_sync"), __VA_ARGS__))
#define __shfl_down_sync(...) \
  (::drape::emulator::shuffle_down(DRAPE_SITE("__shfl_down_sync"), __VA_ARGS__))
#define __shfl_xor_sync(...) \
  (::drape::emulator::shuffle_xor(DRAPE_SITE("__shfl_xor_sync"), __VA_ARGS__))

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return drape::emulator::replace(address, [=](T old) { return static_cast<T>(old + value); });
}
inline unsigned atomicInc(unsigned* address, unsigned most) {
  return drape::emulator::replace(address,
                                  [=](unsigned old) { return old >= most ? 0u : old + 1u; });
}
inline void __threadfence() {}  // threads take turns
template <class T>
T __ldg(const T* address) {
  return *address;
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
inline double rsqrt(double x) {
  return 1.0 / std::sqrt(x);
}
inline int __ffs(int x) {
  return __builtin_ffs(x);
}
inline int __popc(unsigned x) {
  return __builtin_popcount(x);
}
using std::max;
using std::min;
