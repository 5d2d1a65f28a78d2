// Adam and AdamW.
#pragma once

#include "kernels/adam_step.h"
#include "optim/optimizer.h"

namespace drape {

/// The formulas and their sources: kernels/adam_step.h. Like PyTorch, a parameter counts its own
/// steps.
class Adam : public Optimizer {
 public:
  /// Error: a beta outside [0, 1), epsilon not above 0, negative decay.
  explicit Adam(std::vector<Tensor> parameters, const AdamOptions& options = {});

  void take(const kernels::OptimizerStep& step) override;
  /// "steps", f64 [parameters], then "m.i" and "v.i" for parameter i.
  void visit(const Visitor& visit) override;

 private:
  AdamOptions options_;
  Tensor steps_;
  std::vector<Tensor> m_, v_;
};

}  // namespace drape
