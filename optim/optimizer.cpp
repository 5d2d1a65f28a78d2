#include "optim/optimizer.h"

#include <cmath>
#include <concepts>
#include <utility>

#include "kernels/clip_gradients.h"

namespace drape {

Optimizer::Optimizer(std::vector<Tensor> parameters) : parameters_(std::move(parameters)) {
  DRAPE_CHECK(!parameters_.empty(), "optimizer: expected at least one parameter, got none");
  const Tensor& first = parameters_.front();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& parameter = parameters_[i];
    DRAPE_CHECK(parameter.tracked(),
                "optimizer: expected tracked parameters, got one that is not: {}", i);
    for (std::size_t j = 0; j < i; ++j)
      DRAPE_CHECK(!parameter.shares(parameters_[j]),
                  "optimizer: expected each parameter once, got {} again as {}", j, i);
    const DType own = accumulator(parameter.dtype()), expected = accumulator(first.dtype());
    DRAPE_CHECK(own == expected && parameter.device() == first.device(),
                "optimizer: expected parameters of type {} on {}, got {} on {}: {}", name(expected),
                name(first.device()), name(parameter.dtype()), name(parameter.device()), i);
    const bool narrow = parameter.dtype() == DType::bf16;
    DRAPE_CHECK(!narrow || parameter.device() == Device::cuda,
                "optimizer: expected parameters in f32 or f64 on the CPU, got one in bf16: {}", i);
    weights_.push_back(narrow ? parameter.to(DType::f32) : parameter);
  }
}

void Optimizer::step(double learning_rate) {
  DRAPE_CHECK(learning_rate >= 0.0 && std::isfinite(learning_rate),
              "optimizer: expected a learning rate >= 0, got {}", learning_rate);
  take({.rate = learning_rate});
}

void Optimizer::clip_gradients(double limit) {
  DRAPE_CHECK(limit > 0.0, "optimizer: expected a limit of the gradients' norm > 0, got {}", limit);
  dispatch(weights_.front(), [&]<std::floating_point T>(auto tag, T) {
    kernels::RecycledVector<kernels::Gradient<T>> gradients;
    for (const Tensor& parameter : parameters_) {
      Tensor g = parameter.grad();
      if (g.empty()) continue;
      const bool narrow = g.dtype() == DType::bf16;
      gradients.push_back(
          {narrow ? nullptr : g.data<T>(), narrow ? g.data<BFloat16>() : nullptr, g.size()});
    }
    kernels::clip_gradients(tag, std::span<const kernels::Gradient<T>>(gradients), limit);
  });
}

void Optimizer::clear_grads() {
  for (Tensor& parameter : parameters_) parameter.clear_grad();
}

std::vector<Tensor> Optimizer::zeros_like_weights() const {
  std::vector<Tensor> zeros;
  for (const Tensor& weight : weights_) {
    zeros.push_back(Tensor::zeros(weight.shape(), weight.dtype(), weight.device()));
  }
  return zeros;
}

kernels::Narrow Optimizer::narrow(std::size_t i) {
  Tensor& parameter = parameters_[i];
  if (parameter.dtype() != DType::bf16) return {};
  return {parameter.data<BFloat16>(), parameter.grad().data<BFloat16>()};
}

}  // namespace drape
