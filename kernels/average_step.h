// An exponential moving average of weights, as Polyak & Juditsky 1992 ("Acceleration of stochastic
// approximation by averaging") average them and PyTorch's AveragedModel does with
// get_ema_multi_avg_fn:
//   average = decay * average + (1 - decay) * value
#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.h"

namespace drape::kernels {

/// A tensor and its average, `size` elements each.
template <class T>
struct AverageTensor {
  T* average;
  const T* value;
  std::int64_t size;
};

template <class T>
void average_step(Cpu, std::span<const AverageTensor<T>> tensors, double decay);
template <class T>
void average_step(Cuda, std::span<const AverageTensor<T>> tensors, double decay);

}  // namespace drape::kernels
