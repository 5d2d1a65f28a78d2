#include "models/pytorch.h"

#include <array>

#include "core/layout.h"

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

}  // namespace

Weights to_pytorch(const Weights& ours) {
  Weights theirs{{}, ours.metadata};
  theirs.metadata["layout"] = "NCHW";
  for (const auto& [given, tensor] : ours.tensors) {
    const Name name = pair_of(given, &Name::ours);
    Tensor to = tensor;
    if (tensor.shape().rank() == 4) to = channels_first(tensor);
    if (name.ours == kFlattened)
      to = flattened_channels_first(tensor, flattened_channels(ours, &Name::ours));
    theirs.tensors.emplace_back(name.theirs, to);
  }
  return theirs;
}

Weights from_pytorch(const Weights& theirs) {
  Weights ours{{}, theirs.metadata};
  ours.metadata["layout"] = "NHWC";
  for (const auto& [given, tensor] : theirs.tensors) {
    if (given.ends_with(kBatches)) continue;
    const Name name = pair_of(given, &Name::theirs);
    Tensor to = tensor;
    if (tensor.shape().rank() == 4) to = channels_last(tensor);
    if (name.ours == kFlattened)
      to = flattened_channels_last(tensor, flattened_channels(theirs, &Name::theirs));
    ours.tensors.emplace_back(name.ours, to);
  }
  return ours;
}

bool is_pytorch(const Weights& weights) {
  const auto layout = weights.metadata.find("layout");
  return layout != weights.metadata.end() && layout->second == "NCHW";
}

}  // namespace drape
