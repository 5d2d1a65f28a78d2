// Runs as training could have made them, for the tests of run files and reports.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "examples/run_result.h"

namespace drape::tests {

/// A run of five epochs whose best is `best`.
inline RunResult run_of(std::string_view system, std::uint64_t seed, double best,
                        std::string protocol = "published") {
  RunResult run;
  run.system = system;
  run.protocol = std::move(protocol);
  run.seed = seed;
  run.device = "cpu";
  run.precision = "fp32";
  run.commit = "1234abc";
  run.epochs_run = 5;
  run.best_epoch = 4;
  run.best_validation_accuracy = best;
  if (run.protocol == "held_out") run.test_accuracy = best - 0.01;
  run.parameters = 421642;
  run.multiply_adds_per_image = 4241152;
  run.seconds_per_epoch = 12.5;
  run.images_per_second = 4800.25;
  run.peak_memory_bytes = 123456789;
  run.training_images = 60000;
  run.options = {{"epochs", "15"}, {"lr", "0.001"}};
  run.stop_reason = "no better for 1 epoch";
  for (int epoch = 1; epoch <= 5; ++epoch)
    run.history.push_back({.epoch = epoch,
                           .learning_rate = 1e-3 / epoch,
                           .train_loss = 0.1 + 0.2,
                           .train_accuracy = 1.0 / 3.0,
                           .validation_loss = 1e-300,
                           .validation_accuracy = best - 0.01 * std::abs(epoch - 4),
                           .seconds = 12.5});
  run.confusion = {{90, 10}, {3, 97}};
  return run;
}

}  // namespace drape::tests
