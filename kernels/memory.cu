#include "kernels/memory.h"

#include <algorithm>
#include <mutex>

#include "kernels/blocks.h"
#include "kernels/cuda.cuh"
#include "kernels/graph_memory.cuh"

namespace drape::kernels {
namespace {

void* take(std::size_t bytes) {
  void* block = nullptr;
  const cudaError_t status = cudaMalloc(&block, bytes);
  if (status != cudaErrorMemoryAllocation) check_cuda(status, "cudaMalloc");
  return status == cudaSuccess ? block : nullptr;
}

// Never destroyed: the device may be gone by then. A block is used in the order of one stream, so
// that whoever gets it next comes after whoever had it.
Blocks& blocks() {
  static Blocks& instance = *new Blocks(
      {.bounds = kDeviceBounds,
       .place = " on the device",
       .take = take,
       .give_back = [](void* block, std::size_t) { cudaFree(block); }});  // once all work is done
  return instance;
}

// What this thread takes blocks from.
thread_local GraphMemory* in_use = nullptr;

// Done when it returns. On a stream of its own: any other may be recording.
void zero_now(void* block, std::size_t bytes) {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
             "cudaStreamCreateWithFlags");
  cudaError_t status = cudaMemsetAsync(block, 0, bytes, stream);
  if (status == cudaSuccess) status = cudaStreamSynchronize(stream);
  cudaStreamDestroy(stream);
  check_cuda(status, "cudaMemsetAsync");
}

}  // namespace

GraphMemory::GraphMemory()
    : blocks_(
          {.bounds = kDeviceBounds,
           .place = " on the device",
           .take = [](std::size_t bytes) { return blocks().take(bytes); },
           .give_back = [](void* block, std::size_t bytes) { blocks().give_back(block, bytes); }},
          AfterUse::keep) {}

void* GraphMemory::take(std::size_t bytes) {
  void* const block = blocks_.take(bytes);
  taken_.insert(block);
  return block;
}

void GraphMemory::give_back(void* block, std::size_t bytes) noexcept {
  taken_.erase(block);
  blocks_.give_back(block, bytes);
}

GraphMemory::InUse::InUse(GraphMemory& memory) {
  in_use = &memory;
}

GraphMemory::InUse::~InUse() {
  in_use = nullptr;
}

void* allocate(Cuda, std::size_t bytes) {
  check_device();
  return in_use == nullptr ? blocks().take(bytes) : in_use->take(bytes);
}

void release(Cuda, void* block, std::size_t bytes) noexcept {
  in_use == nullptr ? blocks().give_back(block, bytes) : in_use->give_back(block, bytes);
}

void trim(Cuda) {
  blocks().trim();
}

void fill_zero(Cuda cuda, void* block, std::size_t bytes) {
  note_work("fill_zero");
  check_cuda(cudaMemsetAsync(block, 0, bytes, cuda.stream), "cudaMemsetAsync");
}

void copy(Cuda cuda, void* to, const void* from, std::size_t bytes) {
  note_work("copy");
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

std::uint32_t* arrival_counters(std::int64_t count) {
  static std::mutex mutex;
  static std::uint32_t* counters = nullptr;
  static std::int64_t size = 0;
  const std::lock_guard lock(mutex);
  if (count <= size) return counters;
  const std::int64_t wanted = std::max({count, 2 * size, std::int64_t{1} << 12});
  const auto bytes = static_cast<std::size_t>(wanted) * sizeof(*counters);
  void* block = take(bytes);
  if (block == nullptr) {
    blocks().trim();
    block = take(bytes);
  }
  if (block == nullptr) throw Error("memory: expected room for counters, got none");
  try {
    zero_now(block, bytes);
  } catch (...) {
    cudaFree(block);
    throw;
  }
  counters = static_cast<std::uint32_t*>(block);  // older ones stay: somebody may count with them
  size = wanted;
  return counters;
}

MemoryUse memory_use(Cuda) {
  return blocks().use();
}

}  // namespace drape::kernels
