// An exponential moving average of a model's weights, which is often better than any of them.
#pragma once

#include "core/checkpoint.h"
#include "optim/moved_state.h"

namespace drape {

/// The average of all states from the first on, of weights and of buffers of their type, statistics
/// above all; the formula: kernels/average_step.h.
class WeightAverage {
 public:
  /// Begins with what the model holds. Error unless 0 < decay < 1.
  WeightAverage(Module& model, const Optimizer& optimizer, double decay);

  /// Takes in the state after a step.
  void update();

  /// Model and average change places.
  void exchange();

  /// Handles to the average: "average.conv1.weight".
  NamedTensors tensors() const;

 private:
  MovedState state_;
  std::vector<Tensor> averages_;
  Tensor moved_;  // one of the weights
  double decay_;
};

}  // namespace drape
