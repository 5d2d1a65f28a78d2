// One launch over the elements of many tensors, as an optimiser's step takes. Their pointers travel
// as kernel arguments.
#pragma once

#include <span>

#include "kernels/ceil_div.h"
#include "kernels/cuda.cuh"
#include "kernels/progress.h"

namespace drape::kernels {

// A thread takes so many elements, and reads all before it writes one.
inline constexpr unsigned kOptimizerThreads = 256, kElementsOfThread = 8;
inline constexpr std::int64_t kElementsOfBlock = kOptimizerThreads * kElementsOfThread;

/// As many tensors as fit into a kernel's 4 KiB of arguments, and the first block that works on
/// each. A Tensor has a `size`.
template <class Tensor>
struct TensorBatch {
  static constexpr unsigned kMost = 3072 / (sizeof(Tensor) + sizeof(std::uint32_t));
  Tensor tensors[kMost];
  std::uint32_t first_block[kMost + 1];
  unsigned count;

  /// Takes the first of `rest`, and leaves the others.
  static TensorBatch take(std::span<const Tensor>& rest) {
    TensorBatch batch{};
    batch.count = static_cast<unsigned>(std::min<std::size_t>(rest.size(), kMost));
    for (unsigned t = 0; t < batch.count; ++t) {
      batch.tensors[t] = rest[t];
      const std::int64_t blocks = ceil_div(rest[t].size, kElementsOfBlock);
      batch.first_block[t + 1] = batch.first_block[t] + static_cast<std::uint32_t>(blocks);
    }
    rest = rest.subspan(batch.count);
    return batch;
  }
  unsigned blocks() const { return std::max(first_block[count], 1u); }

  /// The tensor that this block works on; `count`: none.
  __device__ unsigned tensor_of_block() const {
    unsigned t = 0;
    while (t < count && blockIdx.x >= first_block[t + 1]) ++t;
    return t;
  }
  /// The first element of tensor t that this thread works on, of kElementsOfThread that are
  /// kOptimizerThreads apart.
  __device__ std::int64_t first_element(unsigned t) const {
    return (blockIdx.x - first_block[t]) * kElementsOfBlock + threadIdx.x;
  }
};

// A block per 2048 elements of a tensor. What changes from step to step is read when a block
// starts; the last block of the last launch moves it on, when all have read it.
template <class Tensor, class Rule>
__global__ void optimizer_step_kernel(TensorBatch<Tensor> batch, Rule rule, OptimizerStep step,
                                      bool moves_on, std::uint32_t* arrived) {
  using Update = typename Rule::Update;
  DRAPE_SHARED(Update, update, [1]);
  const bool stopped = step.stopped();
  unsigned t = batch.tensor_of_block();
  if (!stopped && t < batch.count) {
    const Tensor& tensor = batch.tensors[t];
    const std::int64_t first = batch.first_element(t);
    typename Rule::Element elements[kElementsOfThread];
    for (unsigned j = 0; j < kElementsOfThread; ++j) {
      const std::int64_t i = first + j * kOptimizerThreads;
      if (i < tensor.size) elements[j] = rule.load(tensor, i);
    }
    if (threadIdx.x == 0) {
      const std::int64_t s = step.progress == nullptr ? 0 : collect(&step.progress->step);
      update[0] = rule.prepare(tensor, step.rate_of(s));
    }
    __syncthreads();
    for (unsigned j = 0; j < kElementsOfThread; ++j) {
      const std::int64_t i = first + j * kOptimizerThreads;
      if (i < tensor.size) rule.store(tensor, i, rule.applied(update[0], elements[j]));
    }
  }
  if (!is_last_block(arrived, gridDim.x)) return;
  for (t = threadIdx.x; !stopped && t < batch.count; t += kOptimizerThreads)
    rule.finish(batch.tensors[t]);
  if (threadIdx.x != 0 || !moves_on || step.progress == nullptr) return;
  publish(&step.progress->step, collect(&step.progress->step) + 1);
  step.progress->streams += step.streams;
}

/// One step over all tensors, unless the run has failed. A Rule has, on the device:
///   Update prepare(tensor, learning_rate)   the constants of a tensor: once a block
///   Element load(tensor, i)                 its element i, and all that changes it
///   Element applied(update, element)        that after the step
///   void store(tensor, i, element)
///   void finish(tensor)                     once, when all elements are done
template <class Tensor, class Rule>
void take_step(Cuda cuda, const char* name, std::span<const Tensor> tensors,
               const OptimizerStep& step, const Rule& rule) {
  do {
    const auto batch = TensorBatch<Tensor>::take(tensors);
    launch(cuda, name, {dim3(batch.blocks()), dim3(kOptimizerThreads)},
           optimizer_step_kernel<Tensor, Rule>, batch, rule, step, tensors.empty(),
           arrival_counters(1));
  } while (!tensors.empty());
}

}  // namespace drape::kernels
