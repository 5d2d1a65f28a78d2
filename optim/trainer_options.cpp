#include "optim/trainer_options.h"

#include <array>
#include <cmath>
#include <string_view>

#include "core/check.h"

namespace drape {
namespace {

// By the enumerators' order.
constexpr std::array<std::string_view, 3> kOptimizers{"adam", "adamw", "sgd"};
constexpr std::array<std::string_view, 4> kSchedules{"constant", "step", "cosine", "one_cycle"};
constexpr std::array<std::string_view, 4> kMonitors{"validation_accuracy", "validation_loss",
                                                    "train_accuracy", "train_loss"};

template <std::size_t count, class E>
std::string_view word(const std::array<std::string_view, count>& words, E value) {
  return words.at(static_cast<std::size_t>(value));
}

}  // namespace

void validate(const TrainerOptions& options) {
  DRAPE_CHECK(options.epochs >= 1, "train: expected epochs >= 1, got {}", options.epochs);
  DRAPE_CHECK(options.batch >= 1, "train: expected batch >= 1, got {}", options.batch);
  DRAPE_CHECK(std::isfinite(options.learning_rate) && options.learning_rate > 0.0,
              "train: expected a finite learning rate > 0, got {}", options.learning_rate);
}

RunIdentity identity_of(const TrainerOptions& options) {
  RunIdentity all;
  const auto set = [&](const char* name, const auto& value) {
    all[name] = fmt::format("{}", value);
  };
  const EarlyStoppingOptions& stopping = options.early_stopping;
  set("epochs", options.epochs);
  set("batch", options.batch);
  set("optimizer", word(kOptimizers, options.optimizer));
  set("lr", options.learning_rate);
  set("schedule", word(kSchedules, options.schedule));
  set("weight-decay", options.weight_decay);
  set("momentum", options.momentum);
  set("mixup", options.mixup_alpha);
  set("monitor", word(kMonitors, stopping.monitor));
  set("goal", stopping.goal.value_or(goal_of(stopping.monitor)) == Goal::maximize ? "maximize"
                                                                                  : "minimize");
  set("patience", stopping.patience);
  set("min-delta", stopping.min_delta);
  set("seed", options.seed);
  return all;
}

}  // namespace drape
