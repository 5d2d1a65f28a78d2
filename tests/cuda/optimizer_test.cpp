// Optimisers on CUDA beside the CPU, for tensors as long as what a block works on, and longer.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/gradient_check.h"
#include "layers/linear.h"
#include "layers/relu.h"
#include "optim/adam.h"
#include "optim/sgd.h"
#include "optim/weight_average.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/devices.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

// Its parameters have 1, 2, 65, 2047, 2048, 2049 and 4160 elements, more of them than one launch
// takes; nobody calls it.
Sequential model_of_many_sizes() {
  Sequential model;
  model.add("less", Linear(2047, 1))
      .add("block", Linear(2048, 1))
      .add("more", Linear(2049, 1))
      .add("blocks", Linear(64, 65));
  for (int i = 0; i < 24; ++i) model.add(std::to_string(i), Linear(2, 1));
  Generator random(7, Purpose::initialization);
  model.initialize(random);
  return model;
}

// What three steps along clipped gradients make of the model, and its average.
template <class Method, class Options>
std::vector<double> moved(Device device, DType dtype, const Options& options) {
  Sequential model = model_of_many_sizes();
  model.to(device);
  model.to(dtype);
  Method optimizer(model.parameters(), options);
  WeightAverage average(model, optimizer, 0.75);
  for (std::uint32_t step = 0; step < 3; ++step) {
    optimizer.clear_grads();
    std::uint32_t id = 0;
    for (const Tensor& parameter : model.parameters()) {
      const Tensor gradient = noise(parameter.shape(), {.seed = step, .id = id++}, DType::f64);
      backward(relu(parameter), gradient.to(dtype).to(device));
    }
    optimizer.clip_gradients(0.5);
    optimizer.step(0.1);
    average.update();
  }
  std::vector<double> all;
  const auto append = [&](const Tensor& tensor) {
    const std::vector<double> some = values(tensor.to(Device::cpu));
    all.insert(all.end(), some.begin(), some.end());
  };
  for (const Tensor& weight : optimizer.weights()) append(weight);
  for (const auto& [name, tensor] : average.tensors()) append(tensor);
  return all;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE("clipped steps on CUDA and their average are those of the CPU", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const auto check = [](const auto& on) {
    const std::vector<double> exact = on(Device::cpu, DType::f64);
    CHECK(largest_difference(exact, on(Device::cuda, DType::f64)) < 1e-12);
    CHECK(largest_difference(exact, on(Device::cuda, DType::f32)) < 1e-5);
    return exact;
  };
  const auto sgd = [](const SgdOptions& options) {
    return [=](Device device, DType dtype) { return moved<Sgd>(device, dtype, options); };
  };
  const auto adam = [](const AdamOptions& options) {
    return [=](Device device, DType dtype) { return moved<Adam>(device, dtype, options); };
  };
  // Weights are rounded at the start, gradients at every step. With longer ones, some weights
  // change sides of ReLU's kink.
  CHECK(largest_difference(check(sgd({})), sgd({})(Device::cuda, DType::bf16)) < 5e-2);
  CHECK(largest_difference(check(adam({})), adam({})(Device::cuda, DType::bf16)) < 5e-2);
  check(sgd({.momentum = 0.9, .form = Momentum::nesterov, .weight_decay = 0.1}));
  check(adam({.weight_decay = 0.1, .decay = WeightDecay::decoupled}));
}

}  // namespace drape::tests
