// Early stopping: when to give up on a run, and which epoch was its best. Pure logic.
#pragma once

#include <limits>
#include <optional>

#include "optim/history.h"

namespace drape {

/// The figure of an epoch that is watched.
enum class Monitor { validation_accuracy, validation_loss, train_accuracy, train_loss };

/// The monitored figure of one epoch.
double monitored(const EpochRecord& record, Monitor monitor);

/// Which way is better: maximize for accuracies, minimize for losses.
enum class Goal { maximize, minimize };
Goal goal_of(Monitor monitor);

struct EarlyStoppingOptions {
  Monitor monitor = Monitor::validation_accuracy;
  std::optional<Goal> goal = std::nullopt;  // default: the monitor's
  int patience = 5;        // epochs in a row without improvement before stopping; 0: never stop
  double min_delta = 0.0;  // how much better than the best a value must be to count, exclusive
};

class EarlyStopping {
 public:
  enum class Verdict { improved, waiting, stop };

  /// Error unless patience >= 0 and min_delta is finite and >= 0.
  explicit EarlyStopping(const EarlyStoppingOptions& options);

  /// Takes the value of the epoch just finished. It improves if it beats the best one so far by
  /// more than min_delta; the first number does, NaN never does.
  Verdict update(int epoch, double value);

  /// The epoch of the last improvement, and its value; 0 and NaN before the first.
  int best_epoch() const { return state_.best_epoch; }
  double best_value() const { return state_.best_value; }

  /// All that updates have changed: what a checkpoint stores.
  struct State {
    int best_epoch = 0;
    double best_value = std::numeric_limits<double>::quiet_NaN();
    int waited = 0;  // epochs since the best one
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  bool improves(double value) const;

  EarlyStoppingOptions options_;
  Goal goal_;
  State state_;
};

}  // namespace drape
