// What a benchmark writes down: {"conditions": {...}, "rows": [{"name", "seconds", "noise", ...}]},
// one schema for all of them. `seconds` is what a call or a step takes, the less the better, and
// `noise` half the distance between its quartiles, as a fraction of it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "bench/timing.h"
#include "core/tensor.h"

namespace drape::bench {

using Json = nlohmann::ordered_json;

/// Collects rows and rewrites the file after each, so that what is measured stays whatever comes.
class Record {
 public:
  /// `arguments`: the command line, by which the same can be run again. An empty path: no file.
  Record(std::string program, std::span<const char* const> arguments, Device device,
         std::filesystem::path path);

  const Json& conditions() const { return json_.at("conditions"); }
  void add_condition(const std::string& name, const Json& value);
  void add_row(const Json& row);

 private:
  void write() const;

  Json json_;
  std::filesystem::path path_;
};

/// The fields that every row begins with.
Json row_of(const std::string& name, const Timing& timing);

}  // namespace drape::bench
