// JSON files: numbers and texts out of them, none rounded or wrapped on the way, and their text.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/check.h"

namespace drape {

/// Reads named fields out of one JSON object; every mistake becomes an Error naming the field.
class Fields {
 public:
  using Json = nlohmann::ordered_json;

  explicit Fields(const Json& object) : object_(object) {
    DRAPE_CHECK(object.is_object(), "expected a JSON object, got {}", object.type_name());
  }

  bool has(const char* name) const { return object_.contains(name); }

  const Json& at(const char* name) const {
    const auto field = object_.find(name);
    DRAPE_CHECK(field != object_.end(), "expected a field '{}', got none", name);
    return *field;
  }

  template <class T>
  T get(const char* name) const {
    return convert<T>(at(name), name);
  }

  template <class T>
  static T convert(const Json& value, std::string_view name) {
    DRAPE_CHECK(holds<T>(value), "expected another kind of value for '{}', got {}", name,
                value.is_number() ? value.dump() : value.type_name());
    return value.get<T>();
  }

 private:
  // Whether the value is a T, without rounding or wrapping.
  template <class T>
  static bool holds(const Json& value) {
    if constexpr (std::is_same_v<T, bool>)
      return value.is_boolean();
    else if constexpr (std::is_same_v<T, std::string>)
      return value.is_string();
    else if constexpr (std::is_floating_point_v<T>)
      return value.is_number();
    else if (value.is_number_unsigned())
      return std::in_range<T>(value.get<std::uint64_t>());
    else
      return value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
  }

  const Json& object_;
};

/// The text of a file that holds this, `indent` blanks a level; -1: on one line. What is no UTF-8
/// in it becomes U+FFFD: the rest stays readable.
inline std::string file_text(const nlohmann::ordered_json& json, int indent = 2) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace drape
