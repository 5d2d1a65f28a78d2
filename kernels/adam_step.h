// One step of Adam, Kingma & Ba 2015 (arXiv:1412.6980), Algorithm 1, or of AdamW, Loshchilov &
// Hutter 2019 (arXiv:1711.05101), Algorithm 2.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/backend.h"
#include "kernels/host_device.h"
#include "kernels/narrow.h"
#include "kernels/progress.h"

namespace drape {

/// Where weight decay goes. l2: into the gradient, g + weight_decay * w. decoupled: AdamW, the
/// weights shrink by themselves, w * (1 - learning_rate * weight_decay).
enum class WeightDecay { l2, decoupled };

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0.0;
  WeightDecay decay = WeightDecay::l2;
};

namespace kernels {

/// One parameter: weights, gradient and both moments, `size` elements each.
template <class T>
struct AdamTensor {
  T* w;
  const T* g;  // null if the parameter is narrow
  T *m, *v;
  std::int64_t size;
  double* steps;  // taken so far
  Narrow narrow = {};
};

/// What one step does to one element: the constants of a tensor, in its type.
template <class T>
struct AdamUpdate {
  AdamUpdate() = default;
  /// t = steps: those taken, this one included.
  DRAPE_HOST_DEVICE AdamUpdate(const AdamOptions& options, double learning_rate, double steps)
      : beta1(static_cast<T>(options.beta1)),
        beta2(static_cast<T>(options.beta2)),
        one_less_beta1(static_cast<T>(1.0 - options.beta1)),
        one_less_beta2(static_cast<T>(1.0 - options.beta2)),
        epsilon(static_cast<T>(options.epsilon)),
        step(static_cast<T>(learning_rate / (1.0 - std::pow(options.beta1, steps)))),
        root_correction(static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(options.beta2, steps)))) {
    const bool decoupled = options.decay == WeightDecay::decoupled;
    decay = static_cast<T>(decoupled ? 0.0 : options.weight_decay);
    keep = static_cast<T>(decoupled ? 1.0 - learning_rate * options.weight_decay : 1.0);
  }

  DRAPE_HOST_DEVICE void apply(T& w, T gradient, T& m, T& v) const {
    const T g = gradient + decay * w;
    m = beta1 * m + one_less_beta1 * g;
    v = beta2 * v + one_less_beta2 * g * g;
    w = w * keep - step * m / (std::sqrt(v) * root_correction + epsilon);
  }

  T beta1, beta2, one_less_beta1, one_less_beta2;
  T epsilon, step, root_correction, decay, keep;
};

/// For every tensor, unless the run has failed, with t = ++*steps:
///   m = beta1 m + (1 - beta1) g     v = beta2 v + (1 - beta2) g^2
///   w -= learning_rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
/// with weight decay first. Epsilon comes after bias correction.
template <class T>
void adam_step(Cpu, std::span<const AdamTensor<T>> tensors, const AdamOptions& options,
               const OptimizerStep& step);
template <class T>
void adam_step(Cuda, std::span<const AdamTensor<T>> tensors, const AdamOptions& options,
               const OptimizerStep& step);

}  // namespace kernels
}  // namespace drape
