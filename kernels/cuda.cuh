// CUDA as the kernels use it: checked calls, launches, elementwise loops, and reductions in a fixed
// order. Under nvcc this is the CUDA runtime; a host compiler takes the emulator of tests/emulator/
// instead, which runs the same kernels on the CPU.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>

#include "kernels/backend.h"
#include "kernels/bfloat16.h"
#include "kernels/ceil_div.h"
#include "kernels/graph.h"
#include "kernels/memory.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
/// A variable of the block, on 32-byte bounds: DRAPE_SHARED(float, tile, [16][17]).
#define DRAPE_SHARED(T, name, ...) __shared__ __align__(32) T name __VA_ARGS__
/// The shared memory that the launch asked for.
#define DRAPE_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char drape_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(drape_dynamic_shared)

/// Before a loop: so many of its rounds at once, so that their loads overlap.
#define DRAPE_UNROLL(rounds) _Pragma(DRAPE_TEXT(unroll rounds))
#define DRAPE_TEXT(...) #__VA_ARGS__

namespace drape::kernels {
/// Writes what another block reads with collect(). Both move the widest words that make up a T,
/// whose array lies on 16-byte bounds.
template <class T>
__device__ void publish(T* address, const T& from) {
  static_assert(sizeof(T) % 4 == 0);
  using Word = std::conditional_t<sizeof(T) % 16 == 0, uint4,
                                  std::conditional_t<sizeof(T) % 8 == 0, uint2, unsigned>>;
  alignas(sizeof(Word)) T value = from;
  for (std::size_t i = 0; i < sizeof(T) / sizeof(Word); ++i)
    reinterpret_cast<Word*>(address)[i] = reinterpret_cast<const Word*>(&value)[i];
}
template <class T>
__device__ T collect(const T* address) {
  using Word = std::conditional_t<sizeof(T) % 16 == 0, uint4,
                                  std::conditional_t<sizeof(T) % 8 == 0, uint2, unsigned>>;
  alignas(sizeof(Word)) T value;
  // Past the first cache: it may be stale.
  for (std::size_t i = 0; i < sizeof(T) / sizeof(Word); ++i)
    reinterpret_cast<Word*>(&value)[i] = __ldcg(reinterpret_cast<const Word*>(address) + i);
  return value;
}
}  // namespace drape::kernels
#else
#include "tests/emulator/emulator.h"
#include "tests/emulator/tensor_cores.h"
#define DRAPE_UNROLL(rounds)
#define DRAPE_SHARED(T, name, ...)             \
  static char key_of_##name;                   \
  auto& name = *static_cast<T(*) __VA_ARGS__>( \
      ::drape::emulator::shared_variable(&key_of_##name, sizeof(T __VA_ARGS__)))
#define DRAPE_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::drape::emulator::dynamic_shared_memory())

namespace drape::kernels {
template <class T>
void publish(T* address, T value) {
  emulator::replace(address, [=](T) { return value; });
}
template <class T>
T collect(const T* address) {
  return emulator::replace(const_cast<T*>(address), [](T value) { return value; });
}
}  // namespace drape::kernels
#endif

namespace drape::kernels {

/// Error naming the call unless it succeeded.
inline void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  throw Error(std::string("cuda: expected ") + call + " to succeed, got " +
              cudaGetErrorName(status) + ": " + cudaGetErrorString(status));
}

/// Error unless the calling thread's device is the one that drape computes on, 0: memory would come
/// from another.
void check_device();

/// How many threads a kernel is launched with.
struct LaunchSize {
  dim3 grid, block;
  std::size_t shared_bytes = 0;  // dynamic
};

/// Up to here a launch has dynamic shared memory without asking for it. A device has 48 KiB for
/// those that do not ask, the kernel's variables among them.
inline constexpr std::size_t kWithoutAsking = 32 << 10;

#if defined(__CUDACC__)
/// Asks for so many bytes of dynamic shared memory, which recorded launches of more keep.
template <class Kernel>
void ask_for_shared_memory(const char* name, Kernel* kernel, std::size_t bytes) {
  const auto* address = reinterpret_cast<const void*>(kernel);
  cudaFuncAttributes attributes{};
  check_cuda(cudaFuncGetAttributes(&attributes, address), name);
  check_cuda(
      cudaFuncSetAttribute(address, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           std::max(static_cast<int>(bytes), attributes.maxDynamicSharedSizeBytes)),
      name);
}
#endif

/// Launches a kernel on the tag's stream. Error naming it if the device refuses.
template <class... Parameters, class... Arguments>
void launch(Cuda cuda, const char* name, const LaunchSize& size, void (*kernel)(Parameters...),
            Arguments&&... arguments) {
  note_work(name);
#if defined(__CUDACC__)
  if (size.shared_bytes > kWithoutAsking) ask_for_shared_memory(name, kernel, size.shared_bytes);
  cudaLaunchConfig_t config{};
  config.gridDim = size.grid;
  config.blockDim = size.block;
  config.dynamicSmemBytes = size.shared_bytes;
  config.stream = cuda.stream;
  check_cuda(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), name);
#else
  static_cast<void>(cuda);
  emulator::note_launch(reinterpret_cast<const void*>(kernel));
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  } call{kernel, std::tuple<Parameters...>(static_cast<Parameters>(arguments)...)};
  const auto invoke = [](const void* packed) {
    const auto& c = *static_cast<const Call*>(packed);
    std::apply(c.kernel, c.arguments);
  };
  emulator::submit(emulator::Work::kernel, [size, call, invoke] {
    emulator::launch(size.grid, size.block, size.shared_bytes, invoke, &call);
  });
#endif
}

/// Blocks of `threads` threads that cover `count` items, at most as many as keep a device busy: a
/// kernel's threads go on with a stride of the whole grid.
inline unsigned blocks_for(std::int64_t count, std::int64_t threads) {
  constexpr std::int64_t kMostBlocks = 1 << 14;
  return static_cast<unsigned>(std::clamp<std::int64_t>(ceil_div(count, threads), 1, kMostBlocks));
}

template <class Body>
__global__ void for_each_kernel(std::int64_t count, Body body) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; i < count; i += step) body(i);
}

/// Calls body(i) for 0 <= i < count, each on a thread of its own: body is a [=] __device__ lambda.
template <class Body>
void for_each(Cuda cuda, const char* name, std::int64_t count, Body body) {
  constexpr unsigned kThreads = 256;
  if (count == 0) return;
  launch(cuda, name, {dim3(blocks_for(count, kThreads)), dim3(kThreads)}, for_each_kernel<Body>,
         count, body);
}

/// Sum over the 32 lanes of a warp, the same in each: lanes add in pairs, in a fixed order.
template <class T>
__device__ T warp_sum(T value) {
  for (int distance = 16; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  }
  return value;
}

/// Sum over a block of whole warps, the same in every thread. All threads must call it.
template <class T>
__device__ T block_sum(T value) {
  DRAPE_SHARED(T, sums, [32]);
  const unsigned warp = threadIdx.x / 32, warps = blockDim.x / 32;
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) sums[warp] = value;
  __syncthreads();
  value = warp_sum(threadIdx.x % 32 < warps ? sums[threadIdx.x % 32] : T(0));
  __syncthreads();  // so that the next call may write
  return value;
}

/// Whether this block is the last of `blocks` to come here: it then collects what all of them have
/// published. `arrived` is 0 before the first comes, and after the last. All threads must call it.
inline __device__ bool is_last_block(std::uint32_t* arrived, unsigned blocks) {
  DRAPE_SHARED(bool, last, [1]);
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    __threadfence();
    last[0] = atomicInc(arrived, blocks - 1) == blocks - 1;
    __threadfence();
  }
  __syncthreads();
  return last[0];
}

/// Counters for is_last_block(), each 0. All kernels share them: they follow one another on one
/// stream, and each leaves them at 0.
std::uint32_t* arrival_counters(std::int64_t count);

/// An array of T on the device that a kernel needs while it runs; its elements are undefined at
/// first.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer(Cuda cuda, std::int64_t size)
      : cuda_(cuda),
        bytes_(static_cast<std::size_t>(size) * sizeof(T)),
        data_(static_cast<T*>(allocate(cuda, bytes_))) {}
  ~DeviceBuffer() { release(cuda_, data_, bytes_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  T* data() const { return data_; }

 private:
  Cuda cuda_;
  std::size_t bytes_;
  T* data_;
};

}  // namespace drape::kernels
