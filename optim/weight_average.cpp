#include "optim/weight_average.h"

#include <concepts>

#include "kernels/average_step.h"

namespace drape {

WeightAverage::WeightAverage(Module& model, const Optimizer& optimizer, double decay)
    : state_(model, optimizer), decay_(decay) {
  DRAPE_CHECK(decay > 0.0 && decay < 1.0,
              "weight average: expected a decay between 0 and 1, got {}", decay);
  for (const Tensor& tensor : state_.tensors()) averages_.push_back(tensor.clone());
}

void WeightAverage::update() {
  dispatch(averages_.front(), [&]<std::floating_point T>(auto tag, T) {
    kernels::RecycledVector<kernels::AverageTensor<T>> tensors;
    for (std::size_t i = 0; i < averages_.size(); ++i)
      tensors.push_back(
          {averages_[i].data<T>(), state_.tensors()[i].data<T>(), averages_[i].size()});
    kernels::average_step(tag, std::span<const kernels::AverageTensor<T>>(tensors), decay_);
  });
}

void WeightAverage::exchange() {
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    Tensor value = state_.tensors()[i];
    const Tensor before = value.clone();
    value.assign(averages_[i]);
    averages_[i].assign(before);
  }
  state_.adopt();
}

NamedTensors WeightAverage::tensors() const {
  NamedTensors all;
  for (std::size_t i = 0; i < averages_.size(); ++i)
    all.emplace_back("average." + state_.names()[i], averages_[i]);
  return all;
}

}  // namespace drape
