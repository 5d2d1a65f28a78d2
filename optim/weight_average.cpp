#include "optim/weight_average.h"

#include <algorithm>
#include <concepts>

#include "kernels/average_step.h"

namespace drape {

WeightAverage::WeightAverage(Module& model, const Optimizer& optimizer, double decay)
    : state_(model, optimizer), moved_(optimizer.weights().front()), decay_(decay) {
  DRAPE_CHECK(decay > 0.0 && decay < 1.0,
              "weight average: expected a decay between 0 and 1, got {}", decay);
  for (const Tensor& tensor : state_.tensors()) averages_.push_back(tensor.clone());
}

void WeightAverage::update() {
  dispatch(moved_, [&]<std::floating_point T>(auto tag, T) {
    kernels::RecycledVector<kernels::AverageTensor<T>> tensors;
    for (std::size_t i = 0; i < averages_.size(); ++i) {
      if (averages_[i].dtype() != moved_.dtype()) continue;
      tensors.push_back(
          {averages_[i].data<T>(), state_.tensors()[i].data<T>(), averages_[i].size()});
    }
    kernels::average_step(tag, std::span<const kernels::AverageTensor<T>>(tensors), decay_);
  });
}

void WeightAverage::exchange() {
  const std::vector<Tensor>& values = state_.tensors();
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    Tensor value = values[i];
    const auto same = [&](const Tensor& other) { return other.shares(value); };
    const auto first =
        static_cast<std::size_t>(std::ranges::find_if(values, same) - values.begin());
    if (first < i) {
      averages_[i].assign(averages_[first]);
      continue;
    }
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
