#include "bench/timing.h"

#include <chrono>

namespace drape::bench {

std::vector<double> samples(double budget, const std::function<double()>& sample) {
  constexpr std::size_t kFewest = 5, kMost = 1000;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::vector<double> all;
  while (all.size() < kFewest || (all.size() < kMost && seconds() < budget)) {
    all.push_back(sample());
  }
  return all;
}

}  // namespace drape::bench
