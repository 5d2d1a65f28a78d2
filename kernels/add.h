// Elementwise sum.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace drape::kernels {

/// y[i] = a[i] + b[i] for i < size; y may be a or b.
template <class T>
void add(Cpu, const T* a, const T* b, T* y, std::int64_t size);
template <class T>
void add(Cuda, const T* a, const T* b, T* y, std::int64_t size);

}  // namespace drape::kernels
