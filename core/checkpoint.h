// Weights in a file, in the safetensors format (github.com/huggingface/safetensors): 8 bytes with
// the little-endian length of a JSON header, the header, the tensors' elements. No code in a file.
//   {"__metadata__": {"layout": "NHWC", "sha256": "..."},
//    "conv1.weight": {"dtype": "F32", "shape": [32,3,3,1], "data_offsets": [0, 1152]}}
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace drape {

/// Tensors by name, in order; the handles share the elements.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// What a file holds. Metadata tells readers the layout: "layout": "NHWC" of ours, images
/// [N,H,W,C], filters [K,R,S,C], linear weights [out,in]; "NCHW" of PyTorch's, which
/// models/pytorch.h translates.
struct Weights {
  NamedTensors tensors;                         // on the CPU
  std::map<std::string, std::string> metadata;  // remarks for people and programs
};

/// Writes the file whole or not at all; to the metadata are added "layout", ours unless it is
/// there, and "sha256", the digest of the whole file with zeros in the place of the digest's 64
/// digits. Error: an empty tensor, a name twice, names and metadata of more than 1 MiB, or what
/// write_file_atomically says.
void save_weights(const std::filesystem::path& path, const Weights& weights);

/// Whether a file has to hold a digest; one that it holds is always checked.
enum class Digest { if_there, required };

/// Reads a file that save_weights or another safetensors writer made. All of it is validated: the
/// digest, sizes and shapes agree, the tensors cover the data without gap or overlap. Takes memory
/// in proportion to the file, whatever it claims. Elements of other types than ours become ours as
/// core/stored_elements.h says. Error naming the file and what is wrong with it.
Weights load_weights(const std::filesystem::path& path, Digest digest = Digest::if_there);

/// The same for the content of a file; `name` is for messages.
Weights parse_weights(std::string content, std::string_view name, Digest digest = Digest::if_there);

/// Overwrites the elements of `targets` with the tensors of the same names; real ones convert.
/// Error, before any target is touched, naming a tensor that is missing, has another shape or a
/// type that does not convert, or has no target.
void assign_weights(const Weights& weights, const NamedTensors& targets);

}  // namespace drape
