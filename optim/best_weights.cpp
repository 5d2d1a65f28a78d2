#include "optim/best_weights.h"

#include "optim/metrics.h"

namespace drape {

BestWeights::BestWeights(Module& model, const Optimizer& optimizer) : model_(model) {
  auto weight = optimizer.weights().begin();
  for (const NamedTensor& entry : model.state()) {
    names_.push_back(entry.name);
    state_.push_back(is_trained(entry.role) ? *weight++ : entry.tensor);
    best_.push_back(state_.back().clone());
  }
}

BestWeights::~BestWeights() {
  try {
    if (!restored_) restore();
  } catch (const Error&) {  // a lost device: the exception on its way out tells why
  }
}

void BestWeights::keep() {
  for (std::size_t i = 0; i < state_.size(); ++i) best_[i].assign(state_[i]);
}

void BestWeights::restore() {
  if (compute_type(model_) == DType::bf16) model_.to(DType::f32);
  std::vector<NamedTensor> state = model_.state();
  for (std::size_t i = 0; i < state.size(); ++i) state[i].tensor.assign(best_[i]);
  restored_ = true;
}

NamedTensors BestWeights::tensors() const {
  NamedTensors all;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    all.emplace_back("model." + names_[i], state_[i]);
    all.emplace_back("best." + names_[i], best_[i]);
  }
  return all;
}

void BestWeights::adopt() {
  std::vector<NamedTensor> state = model_.state();
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i].tensor.dtype() == DType::bf16) state[i].tensor.assign(state_[i]);
  }
}

}  // namespace drape
