#include "examples/config_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/command_line.h"

namespace drape {
namespace {

constexpr std::size_t kMostConfigBytes = std::size_t{1} << 20;
constexpr std::string_view kBlanks = " \t\r";

// Reads a line from its beginning.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) { skip_blanks(); }

  // Nothing is left, or a comment.
  bool over() const { return rest_.empty() || rest_.front() == '#'; }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    skip_blanks();
    return true;
  }

  // Up to one of `ends` or a blank; empty if that comes first.
  std::string word(std::string_view ends) {
    const std::size_t size = std::min(rest_.find_first_of(ends), rest_.find_first_of(kBlanks));
    return cut(std::min(size, rest_.size()));
  }

  std::optional<std::string> value() {
    if (over()) return std::nullopt;
    const char quote = rest_.front();
    if (quote != '"' && quote != '\'') {
      std::string found = word("#,[]\"'");
      return found.empty() ? std::nullopt : std::optional(found);
    }
    rest_.remove_prefix(1);
    std::string found;
    for (; !rest_.empty() && rest_.front() != quote; rest_.remove_prefix(1)) {
      if (quote == '"' && rest_.front() == '\\') {
        if (!rest_.starts_with("\\\"") && !rest_.starts_with("\\\\")) return std::nullopt;
        rest_.remove_prefix(1);
      }
      found += rest_.front();
    }
    return take(quote) ? std::optional(found) : std::nullopt;
  }

  // One value, or those of a list; none if there is something else.
  std::vector<std::string> values() {
    std::vector<std::string> all;
    const bool list = take('[');
    do {
      if (list && !all.empty() && take(']')) return all;  // after a last comma
      const std::optional<std::string> one = value();
      if (!one) return {};
      all.push_back(*one);
    } while (list && take(','));
    if (list && !take(']')) return {};
    return all;
  }

 private:
  void skip_blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
  }
  std::string cut(std::size_t size) {
    std::string taken(rest_.substr(0, size));
    rest_.remove_prefix(size);
    skip_blanks();
    return taken;
  }

  std::string_view rest_;
};

std::string content_of(std::istream& input) {
  std::string content;
  for (std::array<char, 4096> block; input.good();) {
    input.read(block.data(), block.size());
    content.append(block.data(), static_cast<std::size_t>(input.gcount()));
    if (content.size() > kMostConfigBytes)
      throw UsageError("--config: expected a file of at most 1 MiB, got a longer one");
  }
  return content;
}

bool is_flag(const CLI::Option& option) {
  return option.get_expected_min() == 0;
}

// The values of an option, or its default where it has none and `default_also` asks for it.
std::vector<std::string> option_values(const CLI::Option& option, bool default_also) {
  std::vector<std::string> values = option.reduced_results();
  if (!values.empty() || !default_also) return values;
  if (!option.get_default_str().empty()) return {option.get_default_str()};
  if (is_flag(option)) return {"false"};
  return {};
}

// A value as values() of Line reads it: numbers, true and false as they are, other text in quotes.
std::string written(const std::string& value) {
  double number = 0.0;
  const char* const end = value.data() + value.size();
  if (value == "true" || value == "false" || std::from_chars(value.data(), end, number).ptr == end)
    return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::vector<CLI::ConfigItem> ConfigFile::from_config(std::istream& input) const {
  const std::string content = content_of(input);
  std::vector<CLI::ConfigItem> all;
  std::istringstream lines(content);
  std::string text;
  for (int number = 1; std::getline(lines, text); ++number) {
    const auto check = [&](bool right, const std::string& expected, const std::string& got) {
      if (!right)
        throw UsageError(
            fmt::format("--config: line {}: expected {}, got '{}'", number, expected, got));
    };
    Line line(text);
    if (line.over()) continue;
    CLI::ConfigItem item;
    item.name = line.word("=#");
    if (line.take('=')) item.inputs = line.values();
    check(!item.name.empty() && !item.inputs.empty() && line.over(), "NAME = VALUE", text);
    const CLI::Option* const option = app_.get_option_no_throw("--" + item.name);
    check(option != nullptr && option->get_configurable(),
          "the name of an option that a file may set", item.name);
    check(std::ranges::find(all, item.name, &CLI::ConfigItem::name) == all.end(),
          "each option once", item.name);
    if (is_flag(*option)) {
      const std::string& value = item.inputs.front();
      check(item.inputs.size() == 1 && (value == "true" || value == "false"),
            fmt::format("{} = true or false", item.name), value);
    }
    all.push_back(std::move(item));
  }
  return all;
}

std::string ConfigFile::to_config(const CLI::App* app, bool default_also, bool, std::string) const {
  std::string text;
  for (const CLI::Option* option : app->get_options({})) {
    if (!option->get_configurable()) continue;
    std::vector<std::string> values = option_values(*option, default_also);
    if (values.empty()) continue;
    for (std::string& value : values) value = written(value);
    text +=
        fmt::format("{}={}\n", option->get_single_name(),
                    values.size() == 1 ? values[0] : fmt::format("[{}]", fmt::join(values, ", ")));
  }
  return text;
}

}  // namespace drape
