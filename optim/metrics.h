// How good a model is on examples it is not trained with.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batches.h"
#include "layers/losses.h"
#include "layers/module.h"

namespace drape {

/// Some of the examples of a stored data set. The tensors are shared, so that several selections
/// cost one data set of memory.
struct Examples {
  Tensor images;                      // u8 [M,H,W,C]
  Tensor labels;                      // u8 [M]
  std::vector<std::int32_t> indices;  // which of the M
  std::int64_t classes = 10;

  std::int64_t size() const { return static_cast<std::int64_t>(indices.size()); }
};

/// What training minimizes; layers/losses.h has the formulas.
enum class Loss { softmax_cross_entropy, binary_cross_entropy };
Tensor loss_of(Loss loss, const Tensor& logits, const Tensor& targets, const Scores& scores = {});

/// The elements of the images that this model computes with: the type of its parameters, but for
/// wide ones.
DType compute_type(Module& model);

struct Evaluation {
  double loss = 0.0;  // mean over the examples, or that of the first batch where it is not finite
  double accuracy = 0.0;  // fraction of right predictions
  /// The class with the largest logit, the first among equals, in the order of the indices; -1
  /// where a logit is NaN.
  std::vector<std::int32_t> predictions;
  /// Counts by [label][prediction]; predictions of -1 are left out.
  std::vector<std::vector<std::int64_t>> confusion;
};

/// The model in eval mode on these examples. The batches have a fixed size, so that the result
/// depends on nothing else. Error if there are no examples.
Evaluation evaluate(Module& model, const Examples& examples, Loss loss);

}  // namespace drape
