// Where the time of a training step goes: every part of it by itself.
#pragma once

#include <string>
#include <vector>

#include "data/batches.h"
#include "layers/module.h"

namespace drape {

/// Seconds of one part of a training step, the median of several; backward is 0 where a part has
/// none.
struct PartSeconds {
  std::string name;
  double forward = 0.0, backward = 0.0;
};

/// The parts of a step of `model` with Adam on a batch, in order: each layer on the input that it
/// has there, the softmax cross-entropy, and the optimiser. It trains: the model takes `repeats`
/// steps.
std::vector<PartSeconds> time_parts(Sequential& model, const Batch& batch, int repeats);

}  // namespace drape
