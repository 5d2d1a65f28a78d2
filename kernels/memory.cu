#include "kernels/memory.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "kernels/cuda.cuh"

namespace drape::kernels {
namespace {

std::atomic<std::int64_t> bytes_in_use{0}, blocks_in_use{0}, peak{0};

}  // namespace

void* allocate(Cuda cuda, std::size_t bytes) {
  void* block = nullptr;
  const cudaError_t status = cudaMallocAsync(&block, std::max<std::size_t>(bytes, 1), cuda.stream);
  if (status == cudaErrorMemoryAllocation) {
    throw Error("memory: expected " + std::to_string(bytes) + " bytes on the device, got none; " +
                std::to_string(bytes_in_use) + " are in use");
  }
  check_cuda(status, "cudaMallocAsync");
  const std::int64_t now = bytes_in_use += static_cast<std::int64_t>(bytes);
  ++blocks_in_use;
  std::int64_t before = peak;
  while (before < now && !peak.compare_exchange_weak(before, now)) {
  }
  return block;
}

void release(Cuda cuda, void* block, std::size_t bytes) noexcept {
  cudaFreeAsync(block, cuda.stream);  // an error here is one that the next call reports
  bytes_in_use -= static_cast<std::int64_t>(bytes);
  --blocks_in_use;
}

void fill_zero(Cuda cuda, void* block, std::size_t bytes) {
  check_cuda(cudaMemsetAsync(block, 0, bytes, cuda.stream), "cudaMemsetAsync");
}

void copy(Cuda cuda, void* to, const void* from, std::size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda.stream),
             "cudaMemcpyAsync");
}

void copy_to_device(Cuda cuda, void* to, const void* from, std::size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda.stream),
             "cudaMemcpyAsync");
  check_cuda(cudaStreamSynchronize(cuda.stream), "cudaStreamSynchronize");
}

void copy_to_host(Cuda cuda, void* to, const void* from, std::size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, cuda.stream),
             "cudaMemcpyAsync");
  check_cuda(cudaStreamSynchronize(cuda.stream), "cudaStreamSynchronize");
}

void synchronize(Cuda cuda) {
  check_cuda(cudaStreamSynchronize(cuda.stream), "cudaStreamSynchronize");
}

std::uint32_t* arrival_counters(Cuda cuda, std::int64_t count) {
  static std::mutex mutex;
  static std::uint32_t* counters = nullptr;
  static std::int64_t size = 0;
  const std::lock_guard lock(mutex);
  if (count > size) {
    if (counters != nullptr) check_cuda(cudaFreeAsync(counters, cuda.stream), "cudaFreeAsync");
    size = std::max<std::int64_t>(count, 1 << 12);
    const auto bytes = static_cast<std::size_t>(size) * sizeof(*counters);
    void* block = nullptr;
    check_cuda(cudaMallocAsync(&block, bytes, cuda.stream), "cudaMallocAsync");
    fill_zero(cuda, block, bytes);
    counters = static_cast<std::uint32_t*>(block);
  }
  return counters;
}

MemoryUse memory_use(Cuda) {
  return {.bytes = bytes_in_use, .blocks = blocks_in_use, .peak_bytes = peak};
}

}  // namespace drape::kernels
