#include "kernels/epilogue.cuh"
#include "kernels/gemm.h"
#include "kernels/linear.h"
#include "kernels/relu.h"

namespace drape::kernels {

template <class T>
void linear_forward(Cuda cuda, LinearGeometry g, const T* x, const T* w, const T* b,
                    Activation activation, T* y) {
  gemm<T>(cuda, g.N, g.K, g.C, {x, g.C}, {w, g.C, Use::transposed}, b, Output::replace, y, g.K);
  // Not the library's own ReLU: that one turns NaN into 0.
  add_bias_activate<T>(cuda, g.N, g.K, nullptr, activation, y);
}

template <class T>
void linear_backward(Cuda cuda, LinearGeometry g, const T* x, const T* w, const T* y, const T* dy,
                     Activation activation, T* dx, T* dw, T* db) {
  const DeviceBuffer<T> masked(cuda, g.N * g.K);
  const T* dz = dy;
  if (activation == Activation::relu) {
    relu_backward(cuda, y, dy, masked.data(), g.N * g.K);
    dz = masked.data();
  }
  if (dx != nullptr) {
    gemm<T>(cuda, g.N, g.C, g.K, {dz, g.K}, {w, g.C}, nullptr, Output::replace, dx, g.C);
  }
  if (dw != nullptr) {
    gemm<T>(cuda, g.K, g.C, g.N, {dz, g.K, Use::transposed}, {x, g.C}, nullptr, Output::replace, dw,
            g.C);
  }
  if (db != nullptr) column_sums(cuda, g.N, g.K, dz, db);
}

template void linear_forward(Cuda, LinearGeometry, const float*, const float*, const float*,
                             Activation, float*);
template void linear_forward(Cuda, LinearGeometry, const double*, const double*, const double*,
                             Activation, double*);
template void linear_forward(Cuda, LinearGeometry, const BFloat16*, const BFloat16*,
                             const BFloat16*, Activation, BFloat16*);
template void linear_backward(Cuda, LinearGeometry, const float*, const float*, const float*,
                              const float*, Activation, float*, float*, float*);
template void linear_backward(Cuda, LinearGeometry, const double*, const double*, const double*,
                              const double*, Activation, double*, double*, double*);
template void linear_backward(Cuda, LinearGeometry, const BFloat16*, const BFloat16*,
                              const BFloat16*, const BFloat16*, Activation, BFloat16*, BFloat16*,
                              BFloat16*);

}  // namespace drape::kernels
