// PyTorch's names and layouts: a network that PyTorch wrote answers here what it answers there.
// That PyTorch loads what is written here is checked by tests/tools/pytorch_check.py.
#include "models/pytorch.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/layout.h"
#include "layers/batch_norm.h"
#include "layers/deform_conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "models/build.h"
#include "models/saved.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/paths.h"

namespace {

using drape::Activation;
using drape::NamedTensors;
using drape::Tensor;
using drape::Weights;
using drape::tests::error_of;

// What tests/golden/safetensors_files.py builds.
drape::Sequential small_network() {
  drape::Sequential model;
  model.add("conv1", drape::DeformConv2d(1, 2, 3, {.padding = 1}))
      .add("norm1", drape::BatchNorm(2, {.activation = Activation::relu}))
      .add("pool1", drape::MaxPool2d({.window = 2}))
      .add("conv2", drape::DeformConv2d(2, 3, 3, {.padding = 1}))
      .add("norm2", drape::BatchNorm(3, {.activation = Activation::relu}))
      .add("pool2", drape::MaxPool2d({.window = 2}))
      .add("flatten", drape::Flatten())
      .add("linear1", drape::Linear(2 * 2 * 3, 5))
      .add("linear2", drape::Linear(5, 4, {.input = Activation::relu}));
  return model;
}

NamedTensors state_of(drape::Module& model) {
  NamedTensors state;
  for (const drape::NamedTensor& entry : model.state())
    state.emplace_back(entry.name, entry.tensor);
  return state;
}

struct Golden {
  Golden() : weights(drape::load_weights(drape::tests::golden_folder() / "pytorch.safetensors")) {
    std::erase_if(weights.tensors, [this](const auto& entry) {
      if (entry.first == "x") x = drape::channels_last(entry.second);
      if (entry.first == "logits") logits = entry.second.template to_vector<float>();
      return entry.first == "x" || entry.first == "logits";
    });
  }

  // The largest difference from PyTorch's logits.
  double difference(const Weights& ours) const {
    drape::Sequential model = small_network();
    assign_weights(ours, state_of(model));
    drape::Pass pass = drape::Pass::eval();
    const std::vector<float> found = model.forward(x, pass).to_vector<float>();
    REQUIRE(found.size() == logits.size());
    double largest = 0.0;
    for (std::size_t i = 0; i < found.size(); ++i)
      largest = std::max(largest, std::abs(static_cast<double>(found[i]) - logits[i]));
    return largest;
  }

  Weights weights;
  Tensor x;
  std::vector<float> logits;
};

void check_same(const Weights& found, const Weights& expected) {
  const std::map<std::string, Tensor> tensors(found.tensors.begin(), found.tensors.end());
  CHECK(tensors.size() == expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    CAPTURE(name);
    REQUIRE(tensors.contains(name));
    CHECK(tensors.at(name).shape() == tensor.shape());
    CHECK(tensors.at(name).to_vector<float>() == tensor.to_vector<float>());
  }
}

}  // namespace

TEST_CASE("a network that PyTorch wrote answers as it does there") {
  const Golden golden;
  REQUIRE(drape::is_pytorch(golden.weights));
  Weights ours = drape::from_pytorch(golden.weights);
  CHECK(golden.difference(ours) < 1e-5);       // sums of f32 in another order
  for (auto& [name, tensor] : ours.tensors) {  // the control: the pixels of a channel elsewhere
    if (name == "linear1.weight") tensor = drape::flattened_channels_first(tensor, 3);
  }
  CHECK(golden.difference(ours) > 1e-2);
}

TEST_CASE("weights in PyTorch's layout come back to the same bits, for every system") {
  const Golden golden;
  Weights given = golden.weights;
  std::erase_if(given.tensors,
                [](const auto& entry) { return entry.second.dtype() == drape::DType::i32; });
  check_same(drape::to_pytorch(drape::from_pytorch(golden.weights)), given);
  for (const drape::System& system : drape::systems()) {
    CAPTURE(system.name);
    drape::Sequential model = build_system(system);
    drape::Generator random(1, drape::Purpose::initialization);
    model.initialize(random);
    const Weights ours{state_of(model), {}};
    check_same(drape::from_pytorch(drape::to_pytorch(ours)), ours);
  }
}

TEST_CASE("a model is loaded from a file in PyTorch's layout") {
  const drape::tests::TemporaryFolder folder;
  drape::Sequential model = drape::build_network({});
  drape::Generator random(1, drape::Purpose::initialization);
  model.initialize(random);
  Weights ours{state_of(model), drape::network_metadata({}, {"a", "b"})};
  ours.metadata["system"] = "standard";
  drape::save_weights(folder / "w", drape::to_pytorch(ours));
  CHECK(drape::load_weights(folder / "w").metadata.at("layout") == "NCHW");
  drape::SavedModel loaded = drape::load_model(folder / "w");
  check_same({state_of(loaded.network), {}}, {state_of(model), {}});
  CHECK(loaded.metadata.at("layout") == "NHWC");
}

TEST_CASE("a tensor that belongs to no known module is named") {
  const Tensor one = Tensor::zeros({1});
  CHECK(error_of([&] {
          drape::to_pytorch({{{"head.weight", one}}, {}});
        }) == "expected a tensor of a layer that PyTorch's modules have, got 'head.weight'");
  CHECK_THAT(error_of([&] {
               drape::from_pytorch({{{"convs.x.weight", one}}, {}});
             }),
             ContainsSubstring("got 'convs.x.weight'"));
  CHECK_THAT(error_of([&] {
               drape::to_pytorch({{{"linear1.weight", Tensor::zeros({2, 3})}}, {}});
             }),
             ContainsSubstring("expected a convolution"));
}
