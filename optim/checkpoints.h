// When the states of a training run are written, which of them stay, and which one a run goes on
// from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "optim/observers.h"
#include "optim/training_state.h"

namespace drape {

/// over: from the first step. resume: where the newest state was written, from the first step if
/// there is none.
enum class Start { over, resume };

struct CheckpointOptions {
  std::filesystem::path folder{};  // empty: nothing is written
  std::int64_t every_steps = 0;    // 0: steps do not matter
  double every_seconds = 0.0;      // 0: time does not matter
  int keep = 2;                    // the newest so many states stay
  Start start = Start::over;
  RunIdentity identity{};  // what the trainer cannot know: network, data

  bool wanted() const { return !folder.empty(); }
};

/// The states of one run: files "state-<steps so far>.safetensors" in a folder of their own. Those
/// of an earlier run stay until the first new one is written.
class Checkpoints {
 public:
  /// Error: numbers below 0, or keep below 1.
  explicit Checkpoints(const CheckpointOptions& options);

  /// The newest state of this run, to go on from. Files that are damaged are passed over, each with
  /// a warning, and those of another run. Error if none is left: the first thing in which the
  /// newest one differs, if there is a whole one.
  std::optional<TrainingState> latest(const RunIdentity& identity, Observer& observer);

  /// Whether a state is to be written, so many steps after the first of the run, so many seconds
  /// after the beginning or the last one that was written.
  bool due(std::int64_t steps, double seconds) const;

  /// Writes a state and deletes those that need not stay. One that cannot be written is a warning:
  /// the older ones are still there, and training goes on.
  void write(std::int64_t steps, const TrainingState& state, Observer& observer);

  /// Whether there is one of this run to go on from.
  bool any() const { return !written_.empty(); }

 private:
  CheckpointOptions options_;
  std::vector<std::filesystem::path> written_;  // that are still there, the newest last
};

}  // namespace drape
