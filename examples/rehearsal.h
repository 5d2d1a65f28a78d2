// What can be found out about a training run before it is started.
#pragma once

#include <atomic>
#include <string>

#include "examples/experiment.h"

namespace drape {

/// A table of the network at the run's batch: of each layer its output's shape and bytes,
/// parameters, multiply-adds of an image, and the measured milliseconds of both ways; then how long
/// an epoch will take.
std::string rehearse(const Experiment& experiment, const StoredData& data);

/// A table of learning rates and smoothed losses, optim/learning_rate_search.h, and the rate at
/// which the loss falls fastest.
std::string find_rate(const Experiment& experiment, const StoredData& data,
                      const std::atomic<bool>& interrupted);

}  // namespace drape
