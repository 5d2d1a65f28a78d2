// The learning rate range test, Smith 2017 (arXiv:1506.01186), section 3.3: train with a rate that
// rises from step to step, and see where the loss falls fastest.
#pragma once

#include <atomic>
#include <vector>

#include "optim/metrics.h"
#include "optim/trainer_options.h"

namespace drape {

struct RateRange {
  double lowest = 1e-6, highest = 10.0;
  int steps = 200;  // about so many: whole epochs of at most so many batches
};

/// A step, and what was lost there.
struct RateTrial {
  double rate = 0.0;
  double loss = 0.0;      // of its batch
  double smoothed = 0.0;  // over the steps before: an exponential average with 0.98, without bias
};

struct RateFinding {
  std::vector<RateTrial> trials;  // until the smoothed loss was four times its lowest
  /// The rate around which the smoothed loss falls fastest over the logarithm of the rate, of those
  /// before its lowest point; 0: it never falls.
  double steepest = 0.0;
};

/// Trains on `training` as `options` say, but at rates from lowest to highest, each a fixed factor
/// above the one before. The model is afterwards what it was, to the bit. Error: 0 < lowest <
/// highest does not hold, fewer than 10 steps, or what train() says.
RateFinding search_learning_rate(Module& model, const Examples& training,
                                 const TrainerOptions& options, const RateRange& range,
                                 const std::atomic<bool>& interrupted);

}  // namespace drape
