// PyTorch's and ONNX's layouts: the one place where they are.
#pragma once

#include "core/tensor.h"

namespace drape {

/// [A,B,...,Z] as [A,Z,B,...]: filters [K,R,S,C] or images [N,H,W,C] with the channels before the
/// others, in new memory on the CPU.
Tensor channels_first(const Tensor& x);

/// The inverse: [A,Z,B,...] as [A,B,...,Z].
Tensor channels_last(const Tensor& x);

/// Weights [K,H*W*C] of a linear layer over flattened images as those over images whose channels
/// come first, [K,C*H*W].
Tensor flattened_channels_first(const Tensor& w, std::int64_t channels);

/// The inverse.
Tensor flattened_channels_last(const Tensor& w, std::int64_t channels);

}  // namespace drape
