#include "kernels/relu.h"

#include "kernels/cuda.cuh"

namespace drape::kernels {

template <class T>
void relu_forward(Cuda cuda, const T* x, T* y, std::int64_t size) {
  for_each(cuda, "relu_forward", size,
           [=] __device__(std::int64_t i) { y[i] = x[i] < T(0) ? T(0) : x[i]; });
}

template <class T>
void relu_backward(Cuda cuda, const T* y, const T* dy, T* dx, std::int64_t size) {
  for_each(cuda, "relu_backward", size,
           [=] __device__(std::int64_t i) { dx[i] = y[i] > T(0) ? dy[i] : T(0); });
}

template void relu_forward(Cuda, const float*, float*, std::int64_t);
template void relu_forward(Cuda, const double*, double*, std::int64_t);
template void relu_forward(Cuda, const BFloat16*, BFloat16*, std::int64_t);
template void relu_backward(Cuda, const float*, const float*, float*, std::int64_t);
template void relu_backward(Cuda, const double*, const double*, double*, std::int64_t);
template void relu_backward(Cuda, const BFloat16*, const BFloat16*, BFloat16*, std::int64_t);

}  // namespace drape::kernels
