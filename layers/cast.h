// Conversion of the element type.
#pragma once

#include "core/tensor.h"

namespace drape {

/// x in elements of type dtype, f32, f64 or bf16; x itself if it is. The gradient goes back in x's
/// own type, so that layers in bf16 can use, and train, weights in f32.
Tensor cast(const Tensor& x, DType dtype);

/// x in f32 if it is in bf16, else x itself: for what an op in bf16 must not take in less.
Tensor widened(const Tensor& x);

}  // namespace drape
