#include "optim/moved_state.h"

namespace drape {

MovedState::MovedState(Module& model, const Optimizer& optimizer) : model_(model) {
  auto weight = optimizer.weights().begin();
  for (const NamedTensor& entry : model.state()) {
    names_.push_back(entry.name);
    tensors_.push_back(is_trained(entry.role) ? *weight++ : entry.tensor);
  }
}

void MovedState::adopt() {
  std::vector<NamedTensor> state = model_.state();
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i].tensor.dtype() == DType::bf16) state[i].tensor.assign(tensors_[i]);
  }
}

}  // namespace drape
