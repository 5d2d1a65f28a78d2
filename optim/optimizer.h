// What every optimiser has: parameters, their gradients, and a state that outlives the process.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "kernels/progress.h"

namespace drape {

/// Moves parameters against their gradients. It holds handles: to(device) or to(dtype) of the model
/// comes before, not after.
class Optimizer {
 public:
  using Visitor = std::function<void(std::string_view name, Tensor& tensor)>;

  virtual ~Optimizer() = default;

  /// One step along the gradients in grad(). A parameter without one is left as it is, as in
  /// PyTorch. Error unless the learning rate is finite and not negative.
  void step(double learning_rate);
  /// The same as the last part of a step of a run; kernels/progress.h.
  virtual void take(const kernels::OptimizerStep& step) = 0;

  /// Calls visit for every tensor of the state, in a fixed order: what a checkpoint stores besides
  /// the parameters.
  virtual void visit(const Visitor& /*visit*/) {}

  /// Forgets the gradients collected so far.
  void clear_grads();

 protected:
  /// Error unless there are parameters, all tracked, of one type and on one device.
  explicit Optimizer(std::vector<Tensor> parameters);

  /// A zero tensor for each parameter.
  std::vector<Tensor> zeros_like_parameters() const;

  std::vector<Tensor> parameters_;
};

}  // namespace drape
