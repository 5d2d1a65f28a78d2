#include "bench/timing.h"

#include "core/stopwatch.h"

namespace drape::bench {

std::vector<double> samples(double budget, const std::function<double()>& sample) {
  constexpr std::size_t kFewest = 5, kMost = 1000;
  const Stopwatch watch;
  std::vector<double> all;
  while (all.size() < kFewest || (all.size() < kMost && watch.seconds() < budget)) {
    all.push_back(sample());
  }
  return all;
}

}  // namespace drape::bench
