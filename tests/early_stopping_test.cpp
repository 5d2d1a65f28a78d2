// Early stopping on sequences of figures.
#include "optim/early_stopping.h"

#include <vector>

#include "core/check.h"
#include "tests/catch.h"

using drape::EarlyStopping;
using drape::Goal;
using drape::Monitor;
using drape::tests::kNaN;
using Verdict = drape::EarlyStopping::Verdict;

namespace {

constexpr Verdict kImproved = Verdict::improved, kWaiting = Verdict::waiting, kStop = Verdict::stop;

std::vector<Verdict> verdicts(EarlyStopping& stopping, const std::vector<double>& values) {
  std::vector<Verdict> all;
  for (int epoch = 1; const double value : values) all.push_back(stopping.update(epoch++, value));
  return all;
}

}  // namespace

TEST_CASE("early stopping waits for as many epochs as its patience") {
  EarlyStopping stopping({.patience = 2});
  CHECK(verdicts(stopping, {0.5, 0.6, 0.6, 0.7, 0.1, 0.7}) ==
        std::vector{kImproved, kImproved, kWaiting, kImproved, kWaiting, kStop});
  CHECK(stopping.best_epoch() == 4);
  CHECK(stopping.best_value() == 0.7);
}

TEST_CASE("a patience of zero never stops but knows the best epoch") {
  EarlyStopping stopping({.patience = 0});
  CHECK(verdicts(stopping, {0.5, 0.4, 0.4, 0.4}) ==
        std::vector{kImproved, kWaiting, kWaiting, kWaiting});
  CHECK(stopping.best_epoch() == 1);
}

TEST_CASE("losses are minimized and accuracies maximized unless told otherwise") {
  EarlyStopping loss({.monitor = Monitor::validation_loss, .patience = 1});
  CHECK(verdicts(loss, {2.0, 1.0, 1.5}) == std::vector{kImproved, kImproved, kStop});
  EarlyStopping accuracy({.monitor = Monitor::train_accuracy, .patience = 1});
  CHECK(verdicts(accuracy, {0.1, 0.2, 0.1}) == std::vector{kImproved, kImproved, kStop});
  EarlyStopping turned({.monitor = Monitor::train_loss, .goal = Goal::maximize, .patience = 1});
  CHECK(verdicts(turned, {1.0, 2.0, 1.5}) == std::vector{kImproved, kImproved, kStop});
}

TEST_CASE("an improvement must exceed min_delta over the best, not over the last") {
  EarlyStopping up({.patience = 3, .min_delta = 0.25});
  CHECK(verdicts(up, {1.0, 1.25, 1.125, 1.375}) ==
        std::vector{kImproved, kWaiting, kWaiting, kImproved});
  EarlyStopping down({.monitor = Monitor::validation_loss, .patience = 3, .min_delta = 0.25});
  CHECK(verdicts(down, {1.0, 0.75, 0.625}) == std::vector{kImproved, kWaiting, kImproved});
}

TEST_CASE("NaN is never an improvement, and any number improves on it") {
  EarlyStopping stopping({.patience = 2});
  CHECK(verdicts(stopping, {kNaN, 0.1, kNaN, kNaN}) ==
        std::vector{kWaiting, kImproved, kWaiting, kStop});
  CHECK(stopping.best_epoch() == 2);
  EarlyStopping hopeless({.patience = 2});
  CHECK(verdicts(hopeless, {kNaN, kNaN}) == std::vector{kWaiting, kStop});
  CHECK(hopeless.best_epoch() == 0);
}

TEST_CASE("early stopping monitors the figure it is told to") {
  const drape::EpochRecord record{
      .train_loss = 1.0, .train_accuracy = 0.2, .validation_loss = 3.0, .validation_accuracy = 0.4};
  CHECK(drape::monitored(record, Monitor::train_loss) == 1.0);
  CHECK(drape::monitored(record, Monitor::train_accuracy) == 0.2);
  CHECK(drape::monitored(record, Monitor::validation_loss) == 3.0);
  CHECK(drape::monitored(record, Monitor::validation_accuracy) == 0.4);
}

TEST_CASE("early stopping refuses options that make no sense") {
  CHECK_THROWS_WITH(EarlyStopping({.patience = -1}),
                    "early_stopping: expected patience >= 0, got -1");
  CHECK_THROWS_AS(EarlyStopping({.min_delta = -0.1}), drape::Error);
  CHECK_THROWS_AS(EarlyStopping({.min_delta = kNaN}), drape::Error);
}
