#include "bench/record.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "core/file.h"
#include "examples/machine.h"
#include "kernels/parallel.h"

namespace drape::bench {
namespace {

// "2025-01-31T12:34Z"
std::string now() {
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc = {};
  gmtime_r(&seconds, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%MZ", &utc)};
}

// Without where it is written.
Json repeatable(std::span<const char* const> arguments) {
  Json words = Json::array();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (word == "--json") {
      ++i;
    } else if (!word.starts_with("--json=")) {
      words.push_back(word);
    }
  }
  return words;
}

}  // namespace

Record::Record(std::string program, std::span<const char* const> arguments, Device device,
               std::filesystem::path path)
    : json_{{"conditions",
             {{"program", std::move(program)},
              {"arguments", repeatable(arguments)},
              {"machine", describe_machine()},
              {"device", name(device)},
              {"threads", kernels::thread_count()},
              {"commit", build_commit()},
              {"date", now()}}},
            {"rows", Json::array()}},
      path_(std::move(path)) {
  write();
}

void Record::add_condition(const std::string& name, const Json& value) {
  json_["conditions"][name] = value;
  write();
}

void Record::add_row(const Json& row) {
  json_["rows"].push_back(row);
  write();
}

void Record::write() const {
  if (!path_.empty()) write_file_atomically(path_, json_.dump(1) + "\n");
}

Json row_of(const std::string& name, const Timing& timing) {
  return {{"name", name}, {"seconds", timing.seconds}, {"noise", timing.noise}};
}

}  // namespace drape::bench
