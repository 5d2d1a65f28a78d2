// Golden files: what PyTorch answers, written by tests/golden/make_goldens.py.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "kernels/geometry.h"
#include "tests/paths.h"

namespace drape::tests {

/// The cases of tests/golden/NAME.json.
inline nlohmann::json golden_cases(const std::string& name) {
  const std::filesystem::path path = golden_folder() / (name + ".json");
  std::ifstream file(path);
  DRAPE_CHECK(file.good(), "golden: expected a file {}", path.string());
  return nlohmann::json::parse(file).at("cases");
}

/// An array {"shape": [...], "data": [...]}, f64.
inline Tensor golden_tensor(const nlohmann::json& array) {
  const auto extents = array.at("shape").get<std::vector<std::int64_t>>();
  return Tensor::from(Shape(extents), array.at("data").get<std::vector<double>>());
}

/// A pair [y, x].
inline Size2 golden_size(const nlohmann::json& pair) {
  return {pair.at(0).get<std::int64_t>(), pair.at(1).get<std::int64_t>()};
}

}  // namespace drape::tests
