// Wall time.
#pragma once

#include <chrono>

namespace drape {

/// Seconds since it was made, and those that came before.
class Stopwatch {
 public:
  explicit Stopwatch(double before = 0.0) : before_(before) {}

  double seconds() const {
    return before_ +
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double before_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace drape
