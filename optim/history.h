// What a training run writes down after every epoch, and why it ends.
#pragma once

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

/// Epochs 1, 2, ... in order.
using History = std::vector<EpochRecord>;

/// Why a run ended. diverged: a loss was not finite.
enum class StopReason { max_epochs, early_stopping, interrupted, diverged };
std::string_view name(StopReason reason);

}  // namespace drape
