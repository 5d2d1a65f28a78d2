// Configuration files: a part of TOML, read strictly.
#pragma once

#include <CLI/CLI.hpp>
#include <istream>
#include <string>
#include <vector>

namespace drape {

/// Options as a file, one `name = value` a line. A value is a number, true, false, a word, text in
/// quotes, or a list [a, b] of these; `#` begins a comment. Within double quotes \" is a quote and
/// \\ a backslash; within single ones nothing means anything. What the command line says wins.
class ConfigFile : public CLI::ConfigTOML {
 public:
  explicit ConfigFile(const CLI::App& app) : app_(app) {}

  /// UsageError naming the line: it is not of that form, names no option that a file may set, or
  /// one for the second time, or gives a flag anything but true or false. So is a file over 1 MiB.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;

  /// The app's options that have a value, in that form; with `default_also` those that have one by
  /// default too. The app's commands, descriptions and prefixes are left out.
  std::string to_config(const CLI::App* app, bool default_also, bool, std::string) const override;

 private:
  const CLI::App& app_;
};

}  // namespace drape
