// Losses and the count that accuracy is made of.
#pragma once

#include "core/tensor.h"

namespace drape {

/// The mean over rows of -sum_k targets[k] log softmax(logits)[k]; a scalar, shape []. Targets are
/// probabilities and have no gradient: an Error if they are tracked. Of bf16, computed in f32.
///   logits, targets [N,K]
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets);

/// The mean over rows and classes of the binary cross-entropy between targets and
/// 1 / (1 + exp(-logits)); otherwise as above.
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets);

/// Rows of logits [N,K] whose largest element, the first among equals, is at labels[n], u8 [N]. A
/// row with a NaN never counts.
std::int64_t count_correct(const Tensor& logits, const Tensor& labels);

}  // namespace drape
