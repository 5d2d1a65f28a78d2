#include "optim/best_weights.h"

#include <exception>

#include "optim/metrics.h"

namespace drape {

BestWeights::BestWeights(Module& model, const Optimizer& optimizer)
    : model_(model), state_(model, optimizer) {
  for (const Tensor& tensor : state_.tensors()) best_.push_back(tensor.clone());
}

BestWeights::~BestWeights() {
  try {
    if (!restored_) restore();
  } catch (const std::exception&) {  // a lost device: what is on its way out tells why
  }
}

void BestWeights::keep() {
  for (std::size_t i = 0; i < best_.size(); ++i) best_[i].assign(state_.tensors()[i]);
}

void BestWeights::restore() {
  if (compute_type(model_) == DType::bf16) model_.to(DType::f32);
  std::vector<NamedTensor> state = model_.state();
  for (std::size_t i = 0; i < state.size(); ++i) state[i].tensor.assign(best_[i]);
  restored_ = true;
}

NamedTensors BestWeights::tensors() const {
  NamedTensors all;
  for (std::size_t i = 0; i < best_.size(); ++i) {
    all.emplace_back("model." + state_.names()[i], state_.tensors()[i]);
    all.emplace_back("best." + state_.names()[i], best_[i]);
  }
  return all;
}

}  // namespace drape
