#include "optim/checkpoints.h"

#include <algorithm>
#include <cmath>
#include <system_error>

#include "core/file.h"

namespace drape {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "state-", kSuffix = ".safetensors";

bool is_state(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(kPrefix) && name.ends_with(kSuffix);
}

// What a process left behind that was killed while it wrote one.
bool is_unfinished(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(kPrefix) && name.find(".tmp-") != std::string::npos;
}

// The first thing in which a state does not belong to this run; empty if it does.
std::string difference(const RunIdentity& expected, const RunIdentity& found,
                       const fs::path& path) {
  for (const auto& [name, value] : expected) {
    const auto entry = found.find(name);
    const std::string other = entry == found.end() ? "none" : entry->second;
    if (other != value)
      return fmt::format("resume: expected a run with {} {}, got one with {} {} in '{}'", name,
                         value, name, other, path.string());
  }
  return {};
}

}  // namespace

Checkpoints::Checkpoints(const CheckpointOptions& options) : options_(options) {
  DRAPE_CHECK(options.every_steps >= 0, "checkpoints: expected steps >= 0, got {}",
              options.every_steps);
  DRAPE_CHECK(std::isfinite(options.every_seconds) && options.every_seconds >= 0.0,
              "checkpoints: expected seconds >= 0, got {}", options.every_seconds);
  DRAPE_CHECK(options.keep >= 1, "checkpoints: expected to keep >= 1, got {}", options.keep);
}

std::optional<TrainingState> Checkpoints::latest(const RunIdentity& identity, Observer& observer) {
  if (options_.start == Start::over) return std::nullopt;
  std::vector<fs::path> all = entries_of(options_.folder);
  std::erase_if(all, [](const fs::path& path) { return !is_state(path); });
  if (all.empty()) {
    observer.on_warning(fmt::format("resume: no state in '{}', beginning with the first step",
                                    options_.folder.string()));
    return std::nullopt;
  }
  std::string other_run;  // the newest state's; a killed process may have left it beside this one's
  for (; !all.empty(); all.pop_back()) {
    std::optional<TrainingState> state;
    try {
      state = load_training_state(all.back());
    } catch (const Error& error) {
      observer.on_warning(error.what());
      continue;
    }
    if (const std::string found = difference(identity, state->identity, all.back());
        !found.empty()) {
      if (other_run.empty()) other_run = found;
      continue;
    }
    written_ = std::move(all);
    return state;
  }
  if (!other_run.empty()) throw Error(other_run);
  throw Error(fmt::format("resume: expected a whole state in '{}', got damaged ones only",
                          options_.folder.string()));
}

bool Checkpoints::due(std::int64_t steps, double seconds) const {
  return (options_.every_steps > 0 && steps % options_.every_steps == 0) ||
         (options_.every_seconds > 0.0 && seconds >= options_.every_seconds);
}

void Checkpoints::write(std::int64_t steps, const TrainingState& state, Observer& observer) {
  const fs::path path = options_.folder / fmt::format("{}{:012}{}", kPrefix, steps, kSuffix);
  try {
    make_folder(options_.folder);
    save_training_state(path, state);
    std::erase(written_, path);
    written_.push_back(path);
    while (written_.size() > static_cast<std::size_t>(options_.keep))
      written_.erase(written_.begin());
    for (const fs::path& file : entries_of(options_.folder)) {
      const bool stays = std::ranges::find(written_, file) != written_.end();
      std::error_code ignored;  // what cannot be deleted stays
      if (is_unfinished(file) || (is_state(file) && !stays)) fs::remove(file, ignored);
    }
  } catch (const Error& error) {
    observer.on_warning(fmt::format("checkpoint not written: {}", error.what()));
  }
}

}  // namespace drape
