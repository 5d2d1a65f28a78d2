// A model in the ONNX format (onnx.ai, operator set 19), as other programs run it. There images are
// [N,C,H,W] and filters [K,C,R,S].
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/tensor.h"

namespace drape {

/// A value of the graph: its name there, and its shape here, [N,H,W,C] or [N,C], for N = 1.
struct OnnxValue {
  std::string name;
  Shape shape;
};

/// An attribute of a node, by name.
using OnnxAttribute =
    std::pair<std::string_view, std::variant<std::int64_t, float, std::vector<std::int64_t>>>;

/// A graph under construction, from its only input to its only output.
class OnnxGraph {
 public:
  /// What is added from here on belongs to the module of this name: a part of other names.
  void enter(const std::string& module) { module_ = module; }
  const std::string& module() const { return module_; }

  /// Adds a node and returns the name of its only output.
  std::string node(std::string_view op, const std::vector<std::string>& inputs,
                   const std::vector<OnnxAttribute>& attributes = {});

  /// Adds elements, in f32, and returns their name.
  std::string constant(std::string_view name, const Tensor& value);
  /// The same of filters, [K,R,S,C] here and [K,C,R,S] there.
  std::string filters(std::string_view name, const Tensor& value);

  /// Writes the graph to a file, whole or not at all. The first axis of input and output may have
  /// any extent. `metadata` is for programs and people.
  void write(const std::filesystem::path& path, const OnnxValue& input, const OnnxValue& output,
             const std::map<std::string, std::string>& metadata);

 private:
  std::string nodes_, constants_;  // the graph's fields of either kind
  std::set<std::string> names_;    // of constants
  std::string module_;
  int count_ = 0;  // of nodes
};

}  // namespace drape
