// JSON put together as text: what is written where memory may run out. nlohmann's objects crash
// when it does while they grow.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drape {

/// The text as a JSON string; what is no UTF-8 in it is replaced.
std::string json_quoted(std::string_view text);

/// The number so that it is read back as it was; null where it is none.
std::string json_number(double value);

/// An object of members whose values are JSON already, in order.
std::string json_object(const std::vector<std::pair<std::string_view, std::string>>& members);

/// An object of strings.
std::string json_object(const std::map<std::string, std::string>& members);

}  // namespace drape
