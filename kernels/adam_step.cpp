#include "kernels/adam_step.h"

#include <cmath>

#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr std::int64_t kGrain = 1 << 13;

template <class T>
void step(const AdamTensor<T>& tensor, const AdamOptions& options, double learning_rate) {
  const auto beta1 = static_cast<T>(options.beta1), beta2 = static_cast<T>(options.beta2);
  const auto one_less_beta1 = static_cast<T>(1.0 - options.beta1);
  const auto one_less_beta2 = static_cast<T>(1.0 - options.beta2);
  const auto epsilon = static_cast<T>(options.epsilon);
  const bool decoupled = options.decay == WeightDecay::decoupled;
  const auto decay = static_cast<T>(decoupled ? 0.0 : options.weight_decay);
  const auto keep = static_cast<T>(decoupled ? 1.0 - learning_rate * options.weight_decay : 1.0);
  const auto size_of_step =
      static_cast<T>(learning_rate / (1.0 - std::pow(options.beta1, tensor.steps)));
  const auto root_correction =
      static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(options.beta2, tensor.steps)));
  parallel_ranges(tensor.size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    T *w = tensor.w, *m = tensor.m, *v = tensor.v;
    const T* gradients = tensor.g;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      const T g = gradients[i] + decay * w[i];
      m[i] = beta1 * m[i] + one_less_beta1 * g;
      v[i] = beta2 * v[i] + one_less_beta2 * g * g;
      w[i] = w[i] * keep - size_of_step * m[i] / (std::sqrt(v[i]) * root_correction + epsilon);
    }
  });
}

}  // namespace

template <class T>
void adam_step(Cpu, std::span<const AdamTensor<T>> tensors, const AdamOptions& options,
               double learning_rate) {
  for (const AdamTensor<T>& tensor : tensors) step(tensor, options, learning_rate);
}

template void adam_step(Cpu, std::span<const AdamTensor<float>>, const AdamOptions&, double);
template void adam_step(Cpu, std::span<const AdamTensor<double>>, const AdamOptions&, double);

}  // namespace drape::kernels
