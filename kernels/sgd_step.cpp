#include "kernels/sgd_step.h"

#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr std::int64_t kGrain = 1 << 14;

// Elements begin ... end-1 of a tensor without momentum.
template <class T>
void step_plain(const SgdTensor<T>& tensor, std::int64_t begin, std::int64_t end, T rate, T decay) {
  T* w = tensor.w;
  const T* g = tensor.g;
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) w[i] -= rate * (g[i] + decay * w[i]);
}

// The step is g_share * g + m_share * m of the new velocity m: (0, 1) or, with nesterov, (1,
// momentum).
template <class T>
void step_momentum(const SgdTensor<T>& tensor, std::int64_t begin, std::int64_t end, T rate,
                   T decay, T momentum, Momentum form) {
  T *w = tensor.w, *m = tensor.m;
  const T* gradients = tensor.g;
  const T g_share = form == Momentum::nesterov ? T(1) : T(0);
  const T m_share = form == Momentum::nesterov ? momentum : T(1);
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    const T g = gradients[i] + decay * w[i];
    m[i] = momentum * m[i] + g;
    w[i] -= rate * (g_share * g + m_share * m[i]);
  }
}

}  // namespace

template <class T>
void sgd_step(Cpu, std::span<const SgdTensor<T>> tensors, const SgdOptions& options,
              const OptimizerStep& step) {
  const auto decay = static_cast<T>(options.weight_decay);
  const auto momentum = static_cast<T>(options.momentum);
  take_step(tensors, step, [&](const SgdTensor<T>& tensor, double learning_rate) {
    const auto rate = static_cast<T>(learning_rate);
    parallel_ranges(tensor.size, kGrain, [&](std::int64_t begin, std::int64_t end) {
      if (tensor.m == nullptr) {
        step_plain(tensor, begin, end, rate, decay);
      } else {
        step_momentum(tensor, begin, end, rate, decay, momentum, options.form);
      }
    });
  });
}

template void sgd_step(Cpu, std::span<const SgdTensor<float>>, const SgdOptions&,
                       const OptimizerStep&);
template void sgd_step(Cpu, std::span<const SgdTensor<double>>, const SgdOptions&,
                       const OptimizerStep&);

}  // namespace drape::kernels
