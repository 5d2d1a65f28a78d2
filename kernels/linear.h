// Fully connected layer: y[n,k] = output(b[k] + sum_c w[k,c] * input(x[n,c])), with an activation
// at either end. One at the input saves a pass over the layer before.
//   x [N,C]   w [K,C]   b [K] or null   y [N,K]
#pragma once

#include <cstdint>

#include "kernels/activation.h"
#include "kernels/backend.h"

namespace drape::kernels {

struct LinearGeometry {
  std::int64_t N, C, K;
  Activation input = Activation::none, output = Activation::none;
};

/// Each may be null where it is not needed.
template <class T>
struct LinearGradients {
  T *dx, *dw, *db;
};

template <class T>
void linear_forward(Cpu, const LinearGeometry& geometry, const T* x, const T* w, const T* b, T* y);
template <class T>
void linear_forward(Cuda, const LinearGeometry& geometry, const T* x, const T* w, const T* b, T* y);

/// Gradients from dy [N,K]. y is forward's result, read for its activation's derivative only. Every
/// sum runs in one task: the same bits for any number of threads.
template <class T>
void linear_backward(Cpu, const LinearGeometry& geometry, const T* x, const T* w, const T* y,
                     const T* dy, const LinearGradients<T>& d);
template <class T>
void linear_backward(Cuda, const LinearGeometry& geometry, const T* x, const T* w, const T* y,
                     const T* dy, const LinearGradients<T>& d);

}  // namespace drape::kernels
