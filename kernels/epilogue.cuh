// What dense CUDA kernels do to their result: bias and activation on the way out, and the same
// backwards on the way in.
#pragma once

#include "kernels/activation.h"
#include "kernels/column_sums.cuh"

namespace drape::kernels {

/// y[m,k] = activation(y[m,k] + b[k]) in place, for rows of K values. b may be null. NaN stays NaN.
template <class T>
void add_bias_activate(Cuda cuda, std::int64_t rows, std::int64_t K, const T* b,
                       Activation activation, T* y) {
  if (b == nullptr && activation == Activation::none) return;
  for_each(cuda, "add_bias_activate", rows * K, [=] __device__(std::int64_t i) {
    using A = Accumulator<T>;
    const A z = b == nullptr ? A(y[i]) : A(y[i]) + A(b[i % K]);
    y[i] = static_cast<T>(activation == Activation::relu && z < A(0) ? A(0) : z);
  });
}

}  // namespace drape::kernels
