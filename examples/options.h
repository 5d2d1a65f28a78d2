// What options of command lines are made of, on CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/print.h"
#include "examples/command_line.h"

namespace drape {

/// A number between two bounds, both included; NaN is none.
template <class T>
CLI::Validator within(T low, T high, const std::string& expected) {
  return CLI::Validator(
      [=](const std::string& text) -> std::string {
        T value{};
        // 010 would be eight.
        const std::size_t digit = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
        if (std::is_integral_v<T> && text.size() > digit + 1 && text[digit] == '0')
          return fmt::format("expected {}, got '{}'", expected, text);
        if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high) return "";
        return fmt::format("expected {}, got '{}'", expected, text);
      },
      "");
}

inline CLI::Validator count(std::int64_t low, std::int64_t high) {
  return within(low, high, fmt::format("a whole number {} ... {}", low, high));
}

inline CLI::Validator real(double low, double high) {
  return within(low, high, fmt::format("a number {} ... {}", low, high));
}

inline CLI::Validator above_zero(double high) {
  return within(std::numeric_limits<double>::min(), high,
                fmt::format("a number above 0, up to {}", high));
}

/// An option that takes one of a few words, the first of them by default.
template <class E>
void add_choice(CLI::App& app, const std::string& option, E& value,
                const std::vector<std::pair<std::string, E>>& choices, const std::string& help) {
  value = choices.front().second;
  std::vector<std::string> words;
  for (const auto& [word, meaning] : choices) words.push_back(word);
  const auto is_word = [words](const std::string& text) -> std::string {
    if (std::ranges::find(words, text) != words.end()) return "";
    return fmt::format("expected one of {}, got '{}'", CLI::detail::join(words, ", "), text);
  };
  const auto set = [&value, choices](const std::string& text) {
    value = std::ranges::find(choices, text, &std::pair<std::string, E>::first)->second;
  };
  app.add_option_function<std::string>(option, set, help)
      ->check(CLI::Validator(is_word, ""))
      ->type_name("{" + CLI::detail::join(words, ",") + "}")
      ->default_str(words.front());
}

/// The same where the words are the enumerators' names.
template <class E>
void add_choice(CLI::App& app, const std::string& option, E& value,
                std::initializer_list<E> choices, const std::string& help) {
  std::vector<std::pair<std::string, E>> named;
  for (const E choice : choices) named.emplace_back(name(choice), choice);
  add_choice(app, option, value, named, help);
}

/// False if help was asked for, and printed.
inline bool parse(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    for (const CLI::Option* option : app.get_options()) {  // a flag would take any number
      const std::vector<std::string> values = option->results();
      const bool is_flag = option->get_expected_max() == 0;
      if (is_flag && !values.empty() && values.back() != "true" && values.back() != "false")
        throw UsageError(
            fmt::format("{}: expected no value, got '{}'", option->get_name(), values.back()));
    }
    return true;
  } catch (const CLI::CallForHelp&) {
    print(stdout, "{}", app.help());
    return false;
  } catch (const CLI::CallForVersion& version) {
    print(stdout, "{}\n", version.what());
    return false;
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{} (--help lists the options)", error.what()));
  }
}

}  // namespace drape
