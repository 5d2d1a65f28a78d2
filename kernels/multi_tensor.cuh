// One launch over the elements of many tensors: what an optimiser step is. The tensors' pointers
// travel as kernel arguments.
#pragma once

#include <span>

#include "kernels/cuda.cuh"

namespace drape::kernels {

/// As many tensors as fit into a kernel's 4 KiB of arguments, and the first block that works on
/// each.
template <class Tensor>
struct TensorBatch {
  static constexpr unsigned kMost = 3072 / (sizeof(Tensor) + sizeof(std::uint32_t));
  Tensor tensors[kMost];
  std::uint32_t first_block[kMost + 1];
  unsigned count;
};

inline constexpr std::int64_t kElementsOfBlock = 4096;

template <class Tensor, class Body>
__global__ void for_each_element_kernel(TensorBatch<Tensor> batch, Body body) {
  unsigned t = 0;
  while (blockIdx.x >= batch.first_block[t + 1]) ++t;
  const Tensor& tensor = batch.tensors[t];
  const std::int64_t first = (blockIdx.x - batch.first_block[t]) * kElementsOfBlock;
  const std::int64_t end = first + kElementsOfBlock;
  for (std::int64_t i = first + threadIdx.x; i < end && i < tensor.size; i += blockDim.x) {
    body(tensor, i);
  }
}

/// Calls body(tensor, i) for every element of every tensor: body is a [=] __device__ lambda.
template <class Tensor, class Body>
void for_each_element(Cuda cuda, const char* name, std::span<const Tensor> tensors, Body body) {
  while (!tensors.empty()) {
    TensorBatch<Tensor> batch{};
    batch.count =
        static_cast<unsigned>(std::min<std::size_t>(tensors.size(), TensorBatch<Tensor>::kMost));
    for (unsigned t = 0; t < batch.count; ++t) {
      batch.tensors[t] = tensors[t];
      const std::int64_t blocks = (tensors[t].size + kElementsOfBlock - 1) / kElementsOfBlock;
      batch.first_block[t + 1] = batch.first_block[t] + static_cast<std::uint32_t>(blocks);
    }
    const unsigned blocks = batch.first_block[batch.count];
    if (blocks > 0) {
      launch(cuda, name, {dim3(blocks), dim3(256)}, for_each_element_kernel<Tensor, Body>, batch,
             body);
    }
    tensors = tensors.subspan(batch.count);
  }
}

}  // namespace drape::kernels
