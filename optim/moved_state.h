// A model's state as training moves it.
#pragma once

#include <string>
#include <vector>

#include "layers/module.h"
#include "optim/optimizer.h"

namespace drape {

/// Handles to the whole state of a model whose parameters() an optimiser moves; of these the
/// weights as it moves them, which a model in bf16 keeps in f32 beside its own. In visit's order.
class MovedState {
 public:
  MovedState(Module& model, const Optimizer& optimizer);

  const std::vector<std::string>& names() const { return names_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }

  /// To be called after tensors() have been overwritten: a model in bf16 follows them.
  void adopt();

 private:
  Module& model_;
  std::vector<std::string> names_;
  std::vector<Tensor> tensors_;
};

}  // namespace drape
