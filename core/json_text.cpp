#include "core/json_text.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace drape {

std::string json_quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string json_object(const std::vector<std::pair<std::string_view, std::string>>& members) {
  std::string text;
  for (const auto& [name, value] : members) {
    if (!text.empty()) text += ',';
    text += json_quoted(name);
    text += ':';
    text += value;
  }
  return "{" + text + "}";
}

std::string json_object(const std::map<std::string, std::string>& members) {
  std::vector<std::pair<std::string_view, std::string>> all;
  for (const auto& [name, value] : members) all.emplace_back(name, json_quoted(value));
  return json_object(all);
}

}  // namespace drape
