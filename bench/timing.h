// Timing the same work many times, and what the times amount to.
#pragma once

#include <functional>
#include <vector>

#include "kernels/backend.h"

namespace drape::bench {

/// The median of some times, and half the distance between their quartiles as a fraction of it.
struct Timing {
  double seconds = 0.0, noise = 0.0;
};
Timing summarize(std::vector<double> seconds);

/// Wall seconds of `work` on a device that has nothing else to do, until it is done.
double seconds_of(Device device, const std::function<void()>& work);

/// The results of sample(), called until `budget` seconds have passed, though at least five and at
/// most a thousand times.
std::vector<double> samples(double budget, const std::function<double()>& sample);

}  // namespace drape::bench
