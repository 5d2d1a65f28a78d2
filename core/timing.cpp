#include "core/timing.h"

#include <algorithm>

#include "core/check.h"
#include "core/stopwatch.h"
#include "kernels/memory.h"

namespace drape {

Timing timing_of(std::vector<double> seconds) {
  DRAPE_CHECK(!seconds.empty(), "timing: expected at least one time, got none");
  std::ranges::sort(seconds);
  const std::size_t count = seconds.size();
  const double median = seconds[count / 2];
  return {median, 0.5 * (seconds[3 * count / 4] - seconds[count / 4]) / median};
}

double seconds_of(Device device, const std::function<void()>& work) {
  const auto wait = [&] { on(device, [](auto tag) { kernels::synchronize(tag); }); };
  wait();
  const Stopwatch watch;
  work();
  wait();
  return watch.seconds();
}

}  // namespace drape
