// Models in files: what a file of weights says of the network that they belong to.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/build.h"

namespace drape {

/// What "input" says in metadata of the images that a network takes, and of those that it takes
/// where channels come first.
inline constexpr std::string_view kInput = "[N,28,28,1], 0 ... 1, white on black";
inline constexpr std::string_view kChannelsFirstInput = "[N,1,28,28], 0 ... 1, white on black";

struct SavedModel {
  Sequential network;  // on the CPU
  NetworkOptions options;
  std::string system;                // its name
  std::vector<std::string> classes;  // their names
  std::map<std::string, std::string> metadata;
};

/// What metadata says of a network and of the classes that it tells apart.
std::map<std::string, std::string> network_metadata(const NetworkOptions& options,
                                                    const std::vector<std::string>& classes);

/// The network of a file that training wrote, or that holds the same in PyTorch's layout, with its
/// weights. Error naming the file and what is wrong with it.
SavedModel load_model(const std::filesystem::path& path);

/// What the network says of each of the images [N,28,28,1]: a row of logits, one per class. Error
/// where it has another number of classes than there are names, or says NaN.
std::vector<float> logits_of(SavedModel& model, const Tensor& images);

}  // namespace drape
