#include "optim/trainer_options.h"

#include <array>
#include <cmath>

#include "core/check.h"

namespace drape {

std::string_view name(OptimizerKind optimizer) {
  constexpr std::array<std::string_view, 3> kNames{"adam", "adamw", "sgd"};
  return kNames.at(static_cast<std::size_t>(optimizer));
}

std::string_view name(ScheduleKind schedule) {
  constexpr std::array<std::string_view, 5> kNames{"constant", "step", "cosine", "one_cycle",
                                                   "exponential"};
  return kNames.at(static_cast<std::size_t>(schedule));
}

std::string_view name(Monitor monitor) {
  constexpr std::array<std::string_view, 4> kNames{"validation_accuracy", "validation_loss",
                                                   "train_accuracy", "train_loss"};
  return kNames.at(static_cast<std::size_t>(monitor));
}

void validate(const TrainerOptions& options) {
  DRAPE_CHECK(options.epochs >= 1, "train: expected epochs >= 1, got {}", options.epochs);
  DRAPE_CHECK(options.batch >= 1, "train: expected batch >= 1, got {}", options.batch);
  DRAPE_CHECK(std::isfinite(options.learning_rate) && options.learning_rate > 0.0,
              "train: expected a finite learning rate > 0, got {}", options.learning_rate);
  DRAPE_CHECK(options.schedule != ScheduleKind::exponential ||
                  (std::isfinite(options.last_learning_rate) && options.last_learning_rate > 0.0),
              "train: expected a finite last learning rate > 0, got {}",
              options.last_learning_rate);
  DRAPE_CHECK(options.label_smoothing >= 0.0 && options.label_smoothing < 1.0,
              "train: expected label smoothing in [0, 1), got {}", options.label_smoothing);
  DRAPE_CHECK(std::isfinite(options.clip_norm) && options.clip_norm >= 0.0,
              "train: expected a finite norm >= 0 to clip gradients to, got {}", options.clip_norm);
  DRAPE_CHECK(options.average_decay >= 0.0 && options.average_decay < 1.0,
              "train: expected a decay of the average in [0, 1), got {}", options.average_decay);
  DRAPE_CHECK(options.pieces >= 1, "train: expected pieces >= 1, got {}", options.pieces);
  validate(options.augmentation);
}

RunIdentity identity_of(const TrainerOptions& options) {
  RunIdentity all;
  const auto set = [&](const char* name, const auto& value) {
    all[name] = fmt::format("{}", value);
  };
  const EarlyStoppingOptions& stopping = options.early_stopping;
  set("epochs", options.epochs);
  set("batch", options.batch);
  set("optimizer", name(options.optimizer));
  set("lr", options.learning_rate);
  set("schedule", name(options.schedule));
  if (options.schedule == ScheduleKind::exponential) set("last-lr", options.last_learning_rate);
  set("weight-decay", options.weight_decay);
  set("momentum", options.momentum);
  set("mixup", options.mixup_alpha);
  set("label-smoothing", options.label_smoothing);
  set("shift", options.augmentation.shift);
  set("mirror", options.augmentation.mirroring == Mirroring::half ? "half" : "none");
  set("erase", options.augmentation.erase);
  set("clip-norm", options.clip_norm);
  set("average", options.average_decay);
  set("pieces", options.pieces);
  set("monitor", name(stopping.monitor));
  set("goal", stopping.goal.value_or(goal_of(stopping.monitor)) == Goal::maximize ? "maximize"
                                                                                  : "minimize");
  set("patience", stopping.patience);
  set("min-delta", stopping.min_delta);
  set("seed", options.seed);
  return all;
}

}  // namespace drape
