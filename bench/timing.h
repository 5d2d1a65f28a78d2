// Timing the same work many times.
#pragma once

#include <functional>
#include <vector>

#include "core/timing.h"

namespace drape::bench {

/// The results of sample(), called until `budget` seconds have passed, though at least five and at
/// most a thousand times.
std::vector<double> samples(double budget, const std::function<double()>& sample);

}  // namespace drape::bench
