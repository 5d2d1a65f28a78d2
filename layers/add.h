// Elementwise sum, for residual connections.
#pragma once

#include "core/tensor.h"

namespace drape {

/// y = a + b. Error unless the shapes are equal.
Tensor add(const Tensor& a, const Tensor& b);

}  // namespace drape
