// Fully connected layer: y[n,k] = act(b[k] + sum_c w[k,c] * x[n,c]).
//   x [N,C]   w [K,C]   b [K] or null   y [N,K]
#pragma once

#include <cstdint>

#include "kernels/activation.h"
#include "kernels/backend.h"

namespace drape::kernels {

struct LinearGeometry {
  std::int64_t N, C, K;
};

template <class T>
void linear_forward(Cpu, LinearGeometry geometry, const T* x, const T* w, const T* b,
                    Activation activation, T* y);
template <class T>
void linear_forward(Cuda, LinearGeometry geometry, const T* x, const T* w, const T* b,
                    Activation activation, T* y);

/// Gradients from dy [N,K]; dx, dw, db may each be null where not needed. y is forward's result,
/// read for the activation's derivative only. Every sum runs in one task: the same bits for any
/// number of threads.
template <class T>
void linear_backward(Cpu, LinearGeometry geometry, const T* x, const T* w, const T* y, const T* dy,
                     Activation activation, T* dx, T* dw, T* db);
template <class T>
void linear_backward(Cuda, LinearGeometry geometry, const T* x, const T* w, const T* y, const T* dy,
                     Activation activation, T* dx, T* dw, T* db);

}  // namespace drape::kernels
