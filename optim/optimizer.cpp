#include "optim/optimizer.h"

#include <cmath>
#include <utility>

namespace drape {

Optimizer::Optimizer(std::vector<Tensor> parameters) : parameters_(std::move(parameters)) {
  DRAPE_CHECK(!parameters_.empty(), "optimizer: expected at least one parameter, got none");
  const Tensor& first = parameters_.front();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& parameter = parameters_[i];
    DRAPE_CHECK(parameter.tracked(),
                "optimizer: expected tracked parameters, got one that is not: {}", i);
    DRAPE_CHECK(parameter.dtype() == first.dtype() && parameter.device() == first.device(),
                "optimizer: expected parameters of type {} on {}, got {} on {}: {}",
                name(first.dtype()), name(first.device()), name(parameter.dtype()),
                name(parameter.device()), i);
  }
}

void Optimizer::step(double learning_rate) {
  DRAPE_CHECK(learning_rate >= 0.0 && std::isfinite(learning_rate),
              "optimizer: expected a learning rate >= 0, got {}", learning_rate);
  take({.rate = learning_rate});
}

void Optimizer::clear_grads() {
  for (Tensor& parameter : parameters_) parameter.clear_grad();
}

std::vector<Tensor> Optimizer::zeros_like_parameters() const {
  std::vector<Tensor> zeros;
  for (const Tensor& parameter : parameters_) {
    zeros.push_back(Tensor::zeros(parameter.shape(), parameter.dtype(), parameter.device()));
  }
  return zeros;
}

}  // namespace drape
