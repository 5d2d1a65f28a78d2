// What every optimiser has: parameters, their gradients, and a state that outlives the process.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "kernels/narrow.h"
#include "kernels/progress.h"

namespace drape {

/// Moves parameters against their gradients. Those in bf16 are moved in f32 and rounded after every
/// step. It holds handles: to(device) or to(dtype) of the model comes before, not after.
class Optimizer {
 public:
  using Visitor = std::function<void(std::string_view name, Tensor& tensor)>;

  virtual ~Optimizer() = default;

  /// One step along the gradients in grad(). A parameter without one is left as it is, as in
  /// PyTorch. Error unless the learning rate is finite and not negative.
  void step(double learning_rate);
  /// The same as the last part of a step of a run; kernels/progress.h.
  virtual void take(const kernels::OptimizerStep& step) = 0;

  /// Shortens the gradients in grad() to a norm of at most `limit`, over all of them; the formula:
  /// kernels/clip_gradients.h. Error unless limit is above 0.
  void clip_gradients(double limit);

  /// Calls visit for every tensor of the state, in a fixed order: what a checkpoint stores besides
  /// the parameters.
  virtual void visit(const Visitor& /*visit*/) {}

  /// Forgets the gradients collected so far.
  void clear_grads();

  /// The parameters as they are moved: in f32 where they are in bf16, else themselves.
  const std::vector<Tensor>& weights() const { return weights_; }

 protected:
  /// Error unless there are parameters, each once, all tracked, moved in one type and on one
  /// device; on the CPU none is in bf16.
  explicit Optimizer(std::vector<Tensor> parameters);

  /// A zero tensor for each of the weights.
  std::vector<Tensor> zeros_like_weights() const;

  /// The gradient of parameter i in T; null if it is bf16 (then narrow(i) has it).
  template <class T>
  const T* wide_gradient(std::size_t i) const {
    const Tensor& g = parameters_[i].grad();
    return g.dtype() == DType::bf16 ? nullptr : g.data<T>();
  }
  kernels::Narrow narrow(std::size_t i);

  std::vector<Tensor> parameters_, weights_;
};

}  // namespace drape
