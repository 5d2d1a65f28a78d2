#include "bench/timing.h"

#include <algorithm>
#include <chrono>

#include "kernels/memory.h"

namespace drape::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Timing summarize(std::vector<double> seconds) {
  if (seconds.empty()) throw Error("timing: expected at least one time, got none");
  std::ranges::sort(seconds);
  const std::size_t count = seconds.size();
  const double median = seconds[count / 2];
  return {median, 0.5 * (seconds[3 * count / 4] - seconds[count / 4]) / median};
}

double seconds_of(Device device, const std::function<void()>& work) {
  const auto wait = [&] { on(device, [](auto tag) { kernels::synchronize(tag); }); };
  wait();
  const auto start = Clock::now();
  work();
  wait();
  return seconds_since(start);
}

std::vector<double> samples(double budget, const std::function<double()>& sample) {
  constexpr std::size_t kFewest = 5, kMost = 1000;
  const auto start = Clock::now();
  std::vector<double> all;
  while (all.size() < kFewest || (all.size() < kMost && seconds_since(start) < budget)) {
    all.push_back(sample());
  }
  return all;
}

}  // namespace drape::bench
