#include "models/saved.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/checkpoint.h"
#include "models/pytorch.h"

namespace drape {
namespace {

using Metadata = std::map<std::string, std::string>;

const std::string& entry(const Metadata& metadata, const char* name) {
  const auto found = metadata.find(name);
  DRAPE_CHECK(found != metadata.end(), "expected '{}' in the metadata, got none", name);
  return found->second;
}

template <class T>
T number(const Metadata& metadata, const char* name, T low, T high) {
  const std::string& text = entry(metadata, name);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  DRAPE_CHECK(
      error == std::errc() && end == text.data() + text.size() && value >= low && value <= high,
      "expected a number {} ... {} as '{}', got '{}'", low, high, name, text);
  return value;
}

NetworkOptions options_of(const Metadata& metadata) {
  NetworkOptions options;
  const std::string& name = entry(metadata, "architecture");
  const auto found = std::ranges::find(kArchitectures, name);
  DRAPE_CHECK(found != kArchitectures.end(), "expected a known 'architecture', got '{}'", name);
  options.architecture = static_cast<Architecture>(found - kArchitectures.begin());
  options.dilation = number<std::int64_t>(metadata, "dilation", 1, kMostDilation);
  options.dropout = number<double>(metadata, "dropout", 0.0, kMostDropout);
  return options;
}

std::vector<std::string> classes_of(const Metadata& metadata) {
  const auto json =
      nlohmann::json::parse(entry(metadata, "classes"), nullptr, /*allow_exceptions=*/false);
  const auto is_text = [](const nlohmann::json& value) { return value.is_string(); };
  DRAPE_CHECK(json.is_array() && std::ranges::all_of(json, is_text),
              "expected names as 'classes', got something else");
  return json.get<std::vector<std::string>>();
}

}  // namespace

Metadata network_metadata(const NetworkOptions& options, const std::vector<std::string>& classes) {
  return {{"architecture", std::string(name(options.architecture))},
          {"dilation", std::to_string(options.dilation)},
          {"dropout", fmt::format("{}", options.dropout)},
          {"input", std::string(kInput)},
          {"classes", nlohmann::json(classes).dump()}};
}

SavedModel load_model(const std::filesystem::path& path) {
  Weights weights = load_weights(path);
  try {
    if (is_pytorch(weights)) weights = from_pytorch(weights);
    const NetworkOptions options = options_of(weights.metadata);
    SavedModel model{build_network(options),
                     options,
                     entry(weights.metadata, "system"),
                     classes_of(weights.metadata),
                     {}};
    assign_weights(weights, model.network.tensors());
    model.metadata = std::move(weights.metadata);
    return model;
  } catch (const Error& error) {
    throw Error(fmt::format("model: {}: {}", path.string(), error.what()));
  }
}

std::vector<float> logits_of(SavedModel& model, const Tensor& images) {
  const Pass pass = Pass::eval();
  const Tensor logits = model.network.forward(images, pass);
  DRAPE_CHECK(logits.shape()[1] == std::ssize(model.classes),
              "model: expected logits of {} classes, got {}", model.classes.size(),
              logits.shape()[1]);
  std::vector<float> rows = logits.to_vector<float>();
  DRAPE_CHECK(std::ranges::none_of(rows, [](float logit) { return std::isnan(logit); }),
              "model: expected logits that are numbers, got NaN: its weights are damaged");
  return rows;
}

}  // namespace drape
