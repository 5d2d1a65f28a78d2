// Conversion between element types.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/bfloat16.h"

namespace drape::kernels {

/// y[i] = x[i], rounded to nearest, for i < size. Between float, double and BFloat16, on the CPU
/// too: there bf16 is converted, if never computed with. f64 becomes bf16 by way of f32.
template <class From, class To>
void cast(Cpu, const From* x, To* y, std::int64_t size);
template <class From, class To>
void cast(Cuda, const From* x, To* y, std::int64_t size);

}  // namespace drape::kernels
