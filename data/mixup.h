// MixUp, Zhang et al. 2018 (arXiv:1710.09412): training on convex combinations of two examples.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"

namespace drape {

/// How one batch is mixed: row n becomes lambda * row n + (1 - lambda) * row order[n], images and
/// targets alike. An empty order: not mixed.
struct Mix {
  double lambda = 1.0;
  std::vector<std::int32_t> order;
};

/// Draws one lambda ~ Beta(alpha, alpha) and one permutation per batch.
class MixUp {
 public:
  /// alpha = 0 switches mixing off. Error unless alpha is finite and not negative.
  explicit MixUp(double alpha);

  bool on() const { return alpha_ > 0.0; }

  /// For a batch of `rows`: takes two streams of `random`, or none if mixing is off.
  Mix draw(Generator& random, std::int64_t rows) const;

 private:
  double alpha_;
};

}  // namespace drape
