#include "optim/moved_state.h"

#include <algorithm>

namespace drape {

MovedState::MovedState(Module& model, const Optimizer& optimizer) : model_(model) {
  const std::vector<Tensor> parameters = model.parameters();
  for (const NamedTensor& entry : model.state()) {
    const auto same = [&](const Tensor& parameter) { return parameter.shares(entry.tensor); };
    const auto found = std::ranges::find_if(parameters, same);
    names_.push_back(entry.name);
    tensors_.push_back(
        found == parameters.end()
            ? entry.tensor
            : optimizer.weights()[static_cast<std::size_t>(found - parameters.begin())]);
  }
}

void MovedState::adopt() {
  std::vector<NamedTensor> state = model_.state();
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i].tensor.dtype() == DType::bf16) state[i].tensor.assign(tensors_[i]);
  }
}

}  // namespace drape
