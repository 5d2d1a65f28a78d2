#include <cmath>

#include "kernels/cuda.cuh"
#include "kernels/losses.h"

namespace drape::kernels {
namespace {

constexpr unsigned kThreads = 256, kRowsOfBlock = kThreads / 32;

template <class T>
__device__ T warp_max(T value) {
  for (int distance = 16; distance > 0; distance /= 2) {
    const T other = __shfl_xor_sync(0xffffffffu, value, distance);
    value = other > value || other != other ? other : value;
  }
  return value;
}

// The loss of row n, computed by one warp, lane 0's is the whole; and its gradient times `weight`.
template <class T>
__device__ double softmax_row(const Loss<T>& loss, std::int64_t n, double weight) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const T *z = loss.logits + n * loss.classes, *t = loss.targets + n * loss.classes;
  double largest = -HUGE_VAL, targets = 0.0, exponentials = 0.0, sum = 0.0;
  for (std::int64_t k = lane; k < loss.classes; k += 32) {
    const auto value = static_cast<double>(z[k]);
    largest = value > largest || value != value ? value : largest;
    targets += static_cast<double>(t[k]);
  }
  largest = warp_max(largest);
  targets = warp_sum(targets);
  for (std::int64_t k = lane; k < loss.classes; k += 32) {
    exponentials += exp(static_cast<double>(z[k]) - largest);
  }
  const double normalizer = largest + log(warp_sum(exponentials));
  for (std::int64_t k = lane; k < loss.classes; k += 32) {
    const double log_softmax = static_cast<double>(z[k]) - normalizer;
    const auto target = static_cast<double>(t[k]);
    sum -= target * log_softmax;
    if (loss.dlogits != nullptr) {
      loss.dlogits[n * loss.classes + k] =
          static_cast<T>(weight * (exp(log_softmax) * targets - target));
    }
  }
  return warp_sum(sum);
}

template <class T>
__device__ double bce_row(const Loss<T>& loss, std::int64_t n, double weight) {
  const std::int64_t first = n * loss.classes;
  double sum = 0.0;
  for (std::int64_t k = first + threadIdx.x % 32; k < first + loss.classes; k += 32) {
    const auto z = static_cast<double>(loss.logits[k]), t = static_cast<double>(loss.targets[k]);
    const double tail = exp(-fabs(z));
    sum += (z > 0.0 || z != z ? z : 0.0) - z * t + log1p(tail);
    const double sigmoid = (z < 0.0 ? tail : 1.0) / (1.0 + tail);
    if (loss.dlogits != nullptr) loss.dlogits[k] = static_cast<T>(weight * (sigmoid - t));
  }
  return warp_sum(sum);
}

enum class Kind { softmax, bce };

// A warp per row. Each block writes the sum of its rows' losses.
template <Kind kind, class T>
__global__ void rows_kernel(Loss<T> loss, double weight, double* sums) {
  double sum = 0.0;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kRowsOfBlock;
  std::int64_t n = static_cast<std::int64_t>(blockIdx.x) * kRowsOfBlock + threadIdx.x / 32;
  for (; n < loss.rows; n += step) {
    sum += kind == Kind::softmax ? softmax_row(loss, n, weight) : bce_row(loss, n, weight);
  }
  sum = block_sum(threadIdx.x % 32 == 0 ? sum : 0.0);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

template <class T>
__global__ void mean_kernel(const double* sums, unsigned count, double weight, T* mean) {
  double sum = 0.0;
  for (unsigned i = threadIdx.x; i < count; i += kThreads) sum += sums[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *mean = static_cast<T>(weight * sum);
}

template <Kind kind, class T>
void mean_loss(Cuda cuda, const char* name, const Loss<T>& loss, double weight) {
  const unsigned blocks = std::min(blocks_for(loss.rows, kRowsOfBlock), 1024u);
  const DeviceBuffer<double> sums(cuda, blocks);
  launch(cuda, name, {dim3(blocks), dim3(kThreads)}, rows_kernel<kind, T>, loss, weight,
         sums.data());
  launch(cuda, "mean_loss", {dim3(1), dim3(kThreads)}, mean_kernel<T>, sums.data(), blocks, weight,
         loss.loss);
}

// One block counts all rows.
template <class T>
__global__ void count_correct_kernel(const T* logits, const std::uint8_t* labels, std::int64_t rows,
                                     std::int64_t classes, std::int64_t* count) {
  std::int64_t correct = 0;
  for (std::int64_t n = threadIdx.x; n < rows; n += kThreads) {
    correct += is_first_largest(logits + n * classes, classes, labels[n]) ? 1 : 0;
  }
  correct = block_sum(correct);
  if (threadIdx.x == 0) *count = correct;
}

}  // namespace

template <class T>
void softmax_cross_entropy(Cuda cuda, const Loss<T>& loss) {
  mean_loss<Kind::softmax>(cuda, "softmax_cross_entropy", loss,
                           1.0 / static_cast<double>(loss.rows));
}

template <class T>
void bce_with_logits(Cuda cuda, const Loss<T>& loss) {
  mean_loss<Kind::bce>(cuda, "bce_with_logits", loss,
                       1.0 / static_cast<double>(loss.rows * loss.classes));
}

template <class T>
void scale(Cuda cuda, const T* x, const T* factor, T* y, std::int64_t size) {
  for_each(cuda, "scale", size, [=] __device__(std::int64_t i) { y[i] = x[i] * *factor; });
}

template <class T>
std::int64_t count_correct(Cuda cuda, const T* logits, const std::uint8_t* labels,
                           std::int64_t rows, std::int64_t classes) {
  const DeviceBuffer<std::int64_t> count(cuda, 1);
  launch(cuda, "count_correct", {dim3(1), dim3(kThreads)}, count_correct_kernel<T>, logits, labels,
         rows, classes, count.data());
  std::int64_t correct = 0;
  copy_to_host(cuda, &correct, count.data(), sizeof(correct));
  return correct;
}

template void softmax_cross_entropy(Cuda, const Loss<float>&);
template void softmax_cross_entropy(Cuda, const Loss<double>&);
template void bce_with_logits(Cuda, const Loss<float>&);
template void bce_with_logits(Cuda, const Loss<double>&);
template void scale(Cuda, const float*, const float*, float*, std::int64_t);
template void scale(Cuda, const double*, const double*, double*, std::int64_t);
template std::int64_t count_correct(Cuda, const float*, const std::uint8_t*, std::int64_t,
                                    std::int64_t);
template std::int64_t count_correct(Cuda, const double*, const std::uint8_t*, std::int64_t,
                                    std::int64_t);
template std::int64_t count_correct(Cuda, const BFloat16*, const std::uint8_t*, std::int64_t,
                                    std::int64_t);

}  // namespace drape::kernels
