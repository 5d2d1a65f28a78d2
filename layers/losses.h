// Losses, and what is counted beside them.
#pragma once

#include "core/tensor.h"
#include "kernels/progress.h"

namespace drape {

/// What a loss counts while it is at it.
struct Scores {
  Tensor labels = {};  // u8 [N], what a right prediction is; empty: none is known
  // i32, of which N elements from `first` on are written; empty: not wanted
  Tensor predictions = {};
  std::int64_t first = 0;
  kernels::Progress* progress = nullptr;  // on the logits' device; takes in loss and right ones
};

/// The mean over rows of -sum_k targets[k] log softmax(logits)[k]; a scalar, shape []. Targets are
/// probabilities and have no gradient: an Error if they are tracked. Beside logits in bf16, loss
/// and targets are in f32. A row's prediction is its largest logit, the first among equals, or -1
/// if one is NaN.
///   logits, targets [N,K]
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets,
                             const Scores& scores = {});

/// The mean over rows and classes of the binary cross-entropy between targets and
/// 1 / (1 + exp(-logits)); otherwise as above.
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, const Scores& scores = {});

}  // namespace drape
