#include "optim/sgd.h"

#include <cmath>
#include <concepts>

namespace drape {

Sgd::Sgd(std::vector<Tensor> parameters, const SgdOptions& options)
    : Optimizer(std::move(parameters)), options_(options) {
  DRAPE_CHECK(options.momentum >= 0.0 && options.momentum < 1.0,
              "sgd: expected a momentum in [0, 1), got {}", options.momentum);
  DRAPE_CHECK(options.form == Momentum::heavy_ball || options.momentum > 0.0,
              "sgd: expected a momentum above 0 for nesterov, got 0");
  DRAPE_CHECK(options.weight_decay >= 0.0 && std::isfinite(options.weight_decay),
              "sgd: expected weight_decay >= 0, got {}", options.weight_decay);
  if (options.momentum > 0.0) m_ = zeros_like_weights();
}

void Sgd::take(const kernels::OptimizerStep& step) {
  dispatch(weights_.front(), [&]<std::floating_point T>(auto tag, T) {
    kernels::RecycledVector<kernels::SgdTensor<T>> tensors;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (parameters_[i].grad().empty()) continue;
      T* m = m_.empty() ? nullptr : m_[i].data<T>();
      tensors.push_back(
          {weights_[i].data<T>(), wide_gradient<T>(i), m, weights_[i].size(), narrow(i)});
    }
    kernels::sgd_step(tag, std::span<const kernels::SgdTensor<T>>(tensors), options_, step);
  });
}

void Sgd::visit(const Visitor& visit) {
  for (std::size_t i = 0; i < m_.size(); ++i) visit(fmt::format("m.{}", i), m_[i]);
}

}  // namespace drape
