// Logistic function.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/bfloat16.h"

namespace drape::kernels {

/// y[i] = 1 / (1 + exp(-x[i])). y may be x.
template <class T>
void sigmoid_forward(Cpu, const T* x, T* y, std::int64_t size);
template <class T>
void sigmoid_forward(Cuda, const T* x, T* y, std::int64_t size);

/// dx[i] = dy[i] * y[i] * (1 - y[i]), with y = sigmoid(x). dx may be dy.
template <class T>
void sigmoid_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t size);
template <class T>
void sigmoid_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t size);

}  // namespace drape::kernels
