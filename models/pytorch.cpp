#include "models/pytorch.h"

#include <array>

#include "core/layout.h"
#include "models/saved.h"

namespace drape {
namespace {

// Modules by what their tensors' names begin with, "conv2.offset." and "offs.1.": theirs count from
// `first`, ours from 1.
struct Modules {
  std::string_view ours, theirs;
  int first;
};
constexpr std::array<Modules, 4> kModules{{{"conv{}.offset.", "offs.{}.", 0},
                                           {"conv{}.", "convs.{}.", 0},
                                           {"norm{}.", "bns.{}.", 0},
                                           {"linear{}.", "fc{}.", 1}}};
constexpr int kMostModules = 20;
constexpr std::string_view kFlattened = "linear1.weight", kBatches = ".num_batches_tracked";

// A name and its translation.
struct Name {
  std::string ours, theirs;
};

// The pair of which `name` is the `given` half.
Name pair_of(const std::string& name, std::string Name::*given) {
  for (const Modules& modules : kModules) {
    for (int i = 0; i < kMostModules; ++i) {
      Name prefix{fmt::format(fmt::runtime(modules.ours), i + 1),
                  fmt::format(fmt::runtime(modules.theirs), i + modules.first)};
      if (!name.starts_with(prefix.*given)) continue;
      const std::string rest = name.substr((prefix.*given).size());
      return {prefix.ours + rest, prefix.theirs + rest};
    }
  }
  throw Error(
      fmt::format("expected a tensor of a layer that PyTorch's modules have, got '{}'", name));
}

// Channels of the images that are flattened: as many as the last convolution has filters.
std::int64_t flattened_channels(const Weights& weights, std::string Name::*given) {
  for (int last = kMostModules; last > 0; --last) {
    for (const auto& [name, tensor] : weights.tensors) {
      const Name bias = pair_of(fmt::format("conv{}.bias", last), &Name::ours);
      if (name == bias.*given) return tensor.size();
    }
  }
  throw Error("expected a convolution, got none");
}

// One direction of the translation.
struct Direction {
  std::string Name::*from, Name::*to;
  std::string_view layout, input;  // of the result
  Tensor (*filters)(const Tensor& w);
  Tensor (*flattened)(const Tensor& w, std::int64_t channels);
};

Weights translated(const Weights& weights, const Direction& direction) {
  Weights result{{}, weights.metadata};
  result.metadata["layout"] = direction.layout;
  result.metadata["input"] = direction.input;
  for (const auto& [given, tensor] : weights.tensors) {
    const Name name = pair_of(given, direction.from);
    Tensor to = tensor;
    if (tensor.shape().rank() == 4) to = direction.filters(tensor);
    if (name.ours == kFlattened)
      to = direction.flattened(tensor, flattened_channels(weights, direction.from));
    result.tensors.emplace_back(name.*direction.to, to);
  }
  return result;
}

}  // namespace

Weights to_pytorch(const Weights& ours) {
  return translated(ours, {&Name::ours, &Name::theirs, "NCHW", kChannelsFirstInput, channels_first,
                           flattened_channels_first});
}

Weights from_pytorch(const Weights& theirs) {
  Weights named = theirs;
  std::erase_if(named.tensors, [](const auto& one) { return one.first.ends_with(kBatches); });
  return translated(
      named, {&Name::theirs, &Name::ours, "NHWC", kInput, channels_last, flattened_channels_last});
}

bool is_pytorch(const Weights& weights) {
  const auto layout = weights.metadata.find("layout");
  return layout != weights.metadata.end() && layout->second == "NCHW";
}

}  // namespace drape
