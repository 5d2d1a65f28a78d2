#include "optim/adam.h"

#include <cmath>
#include <concepts>

namespace drape {

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Optimizer(std::move(parameters)),
      options_(options),
      steps_(Tensor::zeros({static_cast<std::int64_t>(parameters_.size())}, DType::f64,
                           parameters_.front().device())),
      m_(zeros_like_weights()),
      v_(zeros_like_weights()) {
  for (const double beta : {options.beta1, options.beta2}) {
    DRAPE_CHECK(beta >= 0.0 && beta < 1.0, "adam: expected betas in [0, 1), got {}", beta);
  }
  DRAPE_CHECK(options.epsilon > 0.0 && std::isfinite(options.epsilon),
              "adam: expected epsilon > 0, got {}", options.epsilon);
  DRAPE_CHECK(options.weight_decay >= 0.0 && std::isfinite(options.weight_decay),
              "adam: expected weight_decay >= 0, got {}", options.weight_decay);
}

void Adam::take(const kernels::OptimizerStep& step) {
  double* steps = steps_.data<double>();
  dispatch(weights_.front(), [&]<std::floating_point T>(auto tag, T) {
    kernels::RecycledVector<kernels::AdamTensor<T>> tensors;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (parameters_[i].grad().empty()) continue;
      tensors.push_back({weights_[i].data<T>(), wide_gradient<T>(i), m_[i].data<T>(),
                         v_[i].data<T>(), weights_[i].size(), steps + i, narrow(i)});
    }
    kernels::adam_step(tag, std::span<const kernels::AdamTensor<T>>(tensors), options_, step);
  });
}

void Adam::visit(const Visitor& visit) {
  visit("steps", steps_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    visit(fmt::format("m.{}", i), m_[i]);
    visit(fmt::format("v.{}", i), v_[i]);
  }
}

}  // namespace drape
