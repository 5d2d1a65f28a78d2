// How long work takes.
#pragma once

#include <functional>
#include <vector>

#include "kernels/backend.h"

namespace drape {

/// The median of some times, and half the distance between their quartiles as a fraction of it.
struct Timing {
  double seconds = 0.0, noise = 0.0;
};
/// Error: no times.
Timing timing_of(std::vector<double> seconds);

/// Wall seconds of `work` on a device that has nothing else to do, until it is done.
double seconds_of(Device device, const std::function<void()>& work);

}  // namespace drape
