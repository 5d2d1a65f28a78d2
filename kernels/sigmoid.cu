#include "kernels/sigmoid.h"

#include <cmath>

#include "kernels/cuda.cuh"

namespace drape::kernels {

template <class T>
void sigmoid_forward(Cuda cuda, const T* x, T* y, std::int64_t size) {
  for_each(cuda, "sigmoid_forward", size, [=] __device__(std::int64_t i) {
    using Real = Accumulator<T>;
    y[i] = static_cast<T>(Real(1) / (Real(1) + std::exp(-static_cast<Real>(x[i]))));
  });
}

template <class T>
void sigmoid_backward(Cuda cuda, const T* y, const T* dy, T* dx, std::int64_t size) {
  for_each(cuda, "sigmoid_backward", size, [=] __device__(std::int64_t i) {
    using Real = Accumulator<T>;
    const Real result = static_cast<Real>(y[i]);
    dx[i] = static_cast<T>(static_cast<Real>(dy[i]) * result * (Real(1) - result));
  });
}

template void sigmoid_forward(Cuda, const float*, float*, std::int64_t);
template void sigmoid_forward(Cuda, const double*, double*, std::int64_t);
template void sigmoid_forward(Cuda, const BFloat16*, BFloat16*, std::int64_t);
template void sigmoid_backward(Cuda, const float*, const float*, float*, std::int64_t);
template void sigmoid_backward(Cuda, const double*, const double*, double*, std::int64_t);
template void sigmoid_backward(Cuda, const BFloat16*, const BFloat16*, BFloat16*, std::int64_t);

}  // namespace drape::kernels
