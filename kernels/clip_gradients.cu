#include "kernels/clip_gradients.h"
#include "kernels/multi_tensor.cuh"

namespace drape::kernels {
namespace {

// sums[first + block] = the squares of up to 2048 elements of a tensor, a block's; the last block
// of the last launch adds up all of them, in order by thread and then over the block: the norm.
// Deterministic.
template <class T>
__global__ void gradient_norm_kernel(TensorBatch<Gradient<T>> batch, double* sums, unsigned first,
                                     bool last_launch, std::uint32_t* arrived, double* norm) {
  const unsigned t = batch.tensor_of_block();
  double sum = 0.0;
  for (unsigned j = 0; t < batch.count && j < kElementsOfThread; ++j) {
    const std::int64_t i = batch.first_element(t) + j * kOptimizerThreads;
    const double g = i < batch.tensors[t].size ? batch.tensors[t].at(i) : 0.0;
    sum += g * g;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) publish(sums + first + blockIdx.x, sum);
  if (!is_last_block(arrived, gridDim.x) || !last_launch) return;
  sum = 0.0;
  for (unsigned i = threadIdx.x; i < first + gridDim.x; i += kOptimizerThreads)
    sum += collect(sums + i);
  sum = block_sum(sum);
  if (threadIdx.x == 0) *norm = std::sqrt(sum);
}

// A block multiplies up to 2048 elements of a tensor, unless there is nothing to do.
template <class T>
__global__ void clip_gradients_kernel(TensorBatch<Gradient<T>> batch, const double* norm,
                                      double limit) {
  const double factor = clip_factor(*norm, limit);
  const unsigned t = batch.tensor_of_block();
  if (factor == 1.0 || t >= batch.count) return;
  for (unsigned j = 0; j < kElementsOfThread; ++j) {
    const std::int64_t i = batch.first_element(t) + j * kOptimizerThreads;
    if (i < batch.tensors[t].size) batch.tensors[t].scale(i, factor);
  }
}

}  // namespace

template <class T>
void clip_gradients(Cuda cuda, std::span<const Gradient<T>> gradients, double limit) {
  using Batch = TensorBatch<Gradient<T>>;
  std::int64_t blocks = 0;
  for (auto rest = gradients; !rest.empty();) blocks += Batch::take(rest).blocks();
  if (blocks == 0) return;
  const DeviceBuffer<double> sums(cuda, blocks), norm(cuda, 1);
  unsigned first = 0;
  for (auto rest = gradients; !rest.empty();) {
    const auto batch = Batch::take(rest);
    launch(cuda, "gradient_norm", {dim3(batch.blocks()), dim3(kOptimizerThreads)},
           gradient_norm_kernel<T>, batch, sums.data(), first, rest.empty(), arrival_counters(1),
           norm.data());
    first += batch.blocks();
  }
  for (auto rest = gradients; !rest.empty();) {
    const auto batch = Batch::take(rest);
    launch(cuda, "clip_gradients", {dim3(batch.blocks()), dim3(kOptimizerThreads)},
           clip_gradients_kernel<T>, batch, norm.data(), limit);
  }
}

template void clip_gradients(Cuda, std::span<const Gradient<float>>, double);
template void clip_gradients(Cuda, std::span<const Gradient<double>>, double);

}  // namespace drape::kernels
