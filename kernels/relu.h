// Rectified linear unit, Nair & Hinton 2010.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace drape::kernels {

/// y[i] = max(x[i], 0); NaN stays NaN. y may be x.
template <class T>
void relu_forward(Cpu, const T* x, T* y, std::int64_t size);
template <class T>
void relu_forward(Cuda, const T* x, T* y, std::int64_t size);

/// dx[i] = y[i] > 0 ? dy[i] : 0, with y = relu(x). dx may be dy.
template <class T>
void relu_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t size);
template <class T>
void relu_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t size);

}  // namespace drape::kernels
