#include <cmath>

#include "kernels/cuda.cuh"
#include "kernels/losses.h"

namespace drape::kernels {
namespace {

constexpr unsigned kLossThreads = 256, kRowsOfBlock = kLossThreads / 32;

template <class T>
__device__ T rounded(double value) {
  return static_cast<T>(static_cast<Accumulator<T>>(value));
}

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
  const T* z = loss.logits + n * loss.classes;
  const Accumulator<T>* t = loss.targets + n * loss.classes;
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
          rounded<T>(weight * (exp(log_softmax) * targets - target));
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
    if (loss.dlogits != nullptr) loss.dlogits[k] = rounded<T>(weight * (sigmoid - t));
  }
  return warp_sum(sum);
}

enum class Kind { softmax, bce };

// A warp per row. Each block publishes the sums over its rows of the loss and of right predictions;
// the last one adds them up in order.
template <Kind kind, class T>
__global__ void loss_kernel(Loss<T> loss, double weight, double* sums, std::uint32_t* arrived) {
  double sum = 0.0, correct = 0.0;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kRowsOfBlock;
  std::int64_t n = static_cast<std::int64_t>(blockIdx.x) * kRowsOfBlock + threadIdx.x / 32;
  const bool first_lane = threadIdx.x % 32 == 0;
  for (; n < loss.rows; n += step) {
    sum += kind == Kind::softmax ? softmax_row(loss, n, weight) : bce_row(loss, n, weight);
    if (first_lane && predict(loss, n)) correct += 1.0;
  }
  sum = block_sum(first_lane ? sum : 0.0);
  correct = block_sum(correct);
  if (threadIdx.x == 0) {
    publish(sums + 2 * blockIdx.x, sum);
    publish(sums + 2 * blockIdx.x + 1, correct);
  }
  if (!is_last_block(arrived, gridDim.x)) return;
  sum = correct = 0.0;
  for (unsigned i = threadIdx.x; i < gridDim.x; i += kLossThreads) {
    sum += collect(sums + 2 * i);
    correct += collect(sums + 2 * i + 1);
  }
  sum = block_sum(sum);
  correct = block_sum(correct);
  if (threadIdx.x != 0) return;
  const auto mean = static_cast<Accumulator<T>>(weight * sum);
  *loss.loss = mean;
  if (loss.progress != nullptr)
    loss.progress->add(static_cast<double>(mean), loss.rows, static_cast<std::int64_t>(correct));
}

template <Kind kind, class T>
void mean_loss(Cuda cuda, const char* name, const Loss<T>& loss, double weight) {
  const unsigned blocks = std::min(blocks_for(loss.rows, kRowsOfBlock), 1024u);
  const DeviceBuffer<double> sums(cuda, 2 * std::int64_t{blocks});
  launch(cuda, name, {dim3(blocks), dim3(kLossThreads)}, loss_kernel<kind, T>, loss, weight,
         sums.data(), arrival_counters(1));
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
void scale(Cuda cuda, const T* x, const Accumulator<T>* factor, T* y, std::int64_t size) {
  for_each(cuda, "scale", size, [=] __device__(std::int64_t i) {
    y[i] = static_cast<T>(static_cast<Accumulator<T>>(x[i]) * *factor);
  });
}

template void softmax_cross_entropy(Cuda, const Loss<float>&);
template void softmax_cross_entropy(Cuda, const Loss<double>&);
template void softmax_cross_entropy(Cuda, const Loss<BFloat16>&);
template void bce_with_logits(Cuda, const Loss<float>&);
template void bce_with_logits(Cuda, const Loss<double>&);
template void bce_with_logits(Cuda, const Loss<BFloat16>&);
template void scale(Cuda, const float*, const float*, float*, std::int64_t);
template void scale(Cuda, const double*, const double*, double*, std::int64_t);
template void scale(Cuda, const BFloat16*, const float*, BFloat16*, std::int64_t);

}  // namespace drape::kernels
