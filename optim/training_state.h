// A training run between two steps, whole: what it takes to go on as if nothing had happened.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/checkpoint.h"
#include "core/random.h"
#include "kernels/progress.h"
#include "optim/early_stopping.h"
#include "optim/history.h"

namespace drape {

/// What a run is, as text by name: a state goes on in a run that is the same.
using RunIdentity = std::map<std::string, std::string>;

struct TrainingState {
  RunIdentity identity;
  std::string device;  // that computed it

  // The epoch under way, or the one that has just ended.
  int epoch = 1;                                     // counted from 1
  kernels::Progress progress{};                      // how far it has come
  RandomStream shuffling{}, mixing{}, augmenting{};  // as they were when it began
  double epoch_seconds = 0.0;

  // All epochs.
  History history{};  // of those that are finished
  EarlyStopping::State stopping{};
  std::int64_t images = 0;  // trained with in finished epochs, in so many seconds of training
  double training_seconds = 0.0;
  double seconds = 0.0;               // wall time of everything
  std::optional<StopReason> ended{};  // it is over: by max_epochs or early_stopping

  /// "model.conv1.weight", "best.conv1.weight", "optimizer.m.0", ...
  NamedTensors tensors{};
};

/// Writes the file whole or not at all; the format is core/checkpoint.h's, with a digest.
void save_training_state(const std::filesystem::path& path, const TrainingState& state);

/// Reads it back and validates all of it but the tensors' names and shapes, which assign_weights
/// does. Error naming the file and what is wrong with it.
TrainingState load_training_state(const std::filesystem::path& path);

/// The same for what such a file holds. Error without the file's name.
TrainingState training_state_of(Weights&& file);

}  // namespace drape
