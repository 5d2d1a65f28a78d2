// One step of stochastic gradient descent with momentum, in the form of Sutskever et al. 2013 ("On
// the importance of initialization and momentum in deep learning") that PyTorch takes.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.h"
#include "kernels/narrow.h"
#include "kernels/progress.h"

namespace drape {

/// heavy_ball: the step is the velocity. nesterov: it looks one step ahead, g + momentum *
/// velocity.
enum class Momentum { heavy_ball, nesterov };

struct SgdOptions {
  double momentum = 0.0;
  Momentum form = Momentum::heavy_ball;
  double weight_decay = 0.0;  // L2: g + weight_decay * w
};

namespace kernels {

/// One parameter: weights, gradient and velocity, `size` elements each. m may be null if momentum
/// is 0.
template <class T>
struct SgdTensor {
  T* w;
  const T* g;  // null if the parameter is narrow
  T* m;
  std::int64_t size;
  Narrow narrow = {};
};

/// For every tensor, unless the run has failed, after weight decay:
///   m = momentum m + g     w -= learning_rate m  or, with nesterov, learning_rate (g + momentum m)
template <class T>
void sgd_step(Cpu, std::span<const SgdTensor<T>> tensors, const SgdOptions& options,
              const OptimizerStep& step);
template <class T>
void sgd_step(Cuda, std::span<const SgdTensor<T>> tensors, const SgdOptions& options,
              const OptimizerStep& step);

}  // namespace kernels
}  // namespace drape
