// Stochastic gradient descent.
#pragma once

#include "kernels/sgd_step.h"
#include "optim/optimizer.h"

namespace drape {

/// The formulas and their source: kernels/sgd_step.h.
class Sgd : public Optimizer {
 public:
  /// Error: momentum outside [0, 1), nesterov without momentum, negative decay.
  explicit Sgd(std::vector<Tensor> parameters, const SgdOptions& options = {});

  void take(const kernels::OptimizerStep& step) override;
  /// "m.i" for parameter i; nothing without momentum.
  void visit(const Visitor& visit) override;

 private:
  SgdOptions options_;
  std::vector<Tensor> m_;  // empty without momentum
};

}  // namespace drape
