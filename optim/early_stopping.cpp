#include "optim/early_stopping.h"

#include <cmath>

#include "core/check.h"

namespace drape {

double monitored(const EpochRecord& record, Monitor monitor) {
  switch (monitor) {
    case Monitor::validation_accuracy:
      return record.validation_accuracy;
    case Monitor::validation_loss:
      return record.validation_loss;
    case Monitor::train_accuracy:
      return record.train_accuracy;
    case Monitor::train_loss:
      return record.train_loss;
  }
  throw Error("early_stopping: expected a known monitor");
}

Goal goal_of(Monitor monitor) {
  const bool loss = monitor == Monitor::validation_loss || monitor == Monitor::train_loss;
  return loss ? Goal::minimize : Goal::maximize;
}

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options)
    : options_(options), goal_(options.goal.value_or(goal_of(options.monitor))) {
  DRAPE_CHECK(options.patience >= 0, "early_stopping: expected patience >= 0, got {}",
              options.patience);
  DRAPE_CHECK(std::isfinite(options.min_delta) && options.min_delta >= 0.0,
              "early_stopping: expected a finite min_delta >= 0, got {}", options.min_delta);
}

bool EarlyStopping::improves(double value) const {
  if (std::isnan(value)) return false;
  if (state_.best_epoch == 0) return true;
  return goal_ == Goal::maximize ? value > state_.best_value + options_.min_delta
                                 : value < state_.best_value - options_.min_delta;
}

EarlyStopping::Verdict EarlyStopping::update(int epoch, double value) {
  if (improves(value)) {
    state_ = {.best_epoch = epoch, .best_value = value, .waited = 0};
    return Verdict::improved;
  }
  ++state_.waited;
  return options_.patience > 0 && state_.waited >= options_.patience ? Verdict::stop
                                                                     : Verdict::waiting;
}

}  // namespace drape
