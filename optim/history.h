// What a training run writes down after every epoch, and why it ends.
#pragma once

#include <array>
#include <string_view>
#include <vector>

namespace drape {

/// One epoch. Losses are means over images, accuracies fractions in [0, 1].
struct EpochRecord {
  int epoch = 0;  // counted from 1
  double learning_rate = 0.0;
  double train_loss = 0.0;
  double train_accuracy = 0.0;
  double validation_loss = 0.0;
  double validation_accuracy = 0.0;
  double seconds = 0.0;  // wall time of the epoch

  bool operator==(const EpochRecord&) const = default;
};

/// The numbers of an epoch by their names in files, in order; the epoch itself comes before them.
struct EpochColumn {
  std::string_view name;
  double EpochRecord::*number;
};
inline constexpr std::array<EpochColumn, 6> kEpochColumns{{
    {"learning_rate", &EpochRecord::learning_rate},
    {"train_loss", &EpochRecord::train_loss},
    {"train_accuracy", &EpochRecord::train_accuracy},
    {"validation_loss", &EpochRecord::validation_loss},
    {"validation_accuracy", &EpochRecord::validation_accuracy},
    {"seconds", &EpochRecord::seconds},
}};

/// Epochs 1, 2, ... in order.
using History = std::vector<EpochRecord>;

/// Why a run ended. diverged: a loss was not finite.
enum class StopReason { max_epochs, early_stopping, interrupted, diverged };
std::string_view name(StopReason reason);

}  // namespace drape
