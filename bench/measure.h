// How long a row's calls take.
#pragma once

#include <optional>

#include "bench/timing.h"
#include "bench/work.h"

namespace drape::bench {

/// called: wall time of a call, on a device of one among 20 in a row. warm, cold: what the device
/// alone takes for it, its L2 cache holding what the call before left there, or nothing of use.
struct RowTimings {
  Timing called;
  std::optional<Timing> warm, cold;  // on a device

  /// Seconds to compare with the machine's limit.
  double at_best() const { return cold ? cold->seconds : called.seconds; }
};

/// Takes about `budget` seconds for each of them.
RowTimings time_work(Work& work, Device device, double budget);

/// Calls the work once. Instructions are counted in here: bench/instructions.py.
void call_counted(Work& work);

}  // namespace drape::bench
