// The weights of a run's best epoch.
#pragma once

#include <vector>

#include "core/checkpoint.h"
#include "optim/moved_state.h"

namespace drape {

/// A copy of a model's best state, put back at the end, whatever the way out: a model in bf16 has
/// the weights that its optimiser moves, in f32, and is from then on in f32.
class BestWeights {
 public:
  BestWeights(Module& model, const Optimizer& optimizer);
  BestWeights(const BestWeights&) = delete;
  BestWeights& operator=(const BestWeights&) = delete;
  ~BestWeights();

  void keep();
  void restore();

  /// Handles to the weights as they are moved and to the best ones: "model.conv1.weight",
  /// "best.conv1.weight".
  NamedTensors tensors() const;
  /// To be called after these have been overwritten: a model in bf16 follows them.
  void adopt() { state_.adopt(); }

 private:
  Module& model_;
  MovedState state_;
  std::vector<Tensor> best_;
  bool restored_ = false;
};

}  // namespace drape
