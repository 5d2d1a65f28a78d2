// One step of Adam, Kingma & Ba 2015 (arXiv:1412.6980), Algorithm 1, or of AdamW, Loshchilov &
// Hutter 2019 (arXiv:1711.05101), Algorithm 2.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.h"

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
  const T* g;
  T *m, *v;
  std::int64_t size;
  double steps;  // t: steps taken, this one included
};

/// For every tensor:
///   m = beta1 m + (1 - beta1) g     v = beta2 v + (1 - beta2) g^2
///   w -= learning_rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
/// with weight decay first. Epsilon comes after bias correction.
template <class T>
void adam_step(Cpu, std::span<const AdamTensor<T>> tensors, const AdamOptions& options,
               double learning_rate);

}  // namespace kernels
}  // namespace drape
