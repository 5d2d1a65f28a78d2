// In which order the emulator runs threads that could run now.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "kernels/error.h"

namespace drape::emulator {

/// The order in which threads start and go on after a barrier: DRAPE_EMULATOR_ORDER = forward,
/// reverse or random:SEED. A correct kernel gives the same result in each.
class Order {
 public:
  static Order from_environment() {
    const char* text = std::getenv("DRAPE_EMULATOR_ORDER");
    const std::string order = text == nullptr ? "forward" : text;
    if (order == "forward") return {};
    if (order == "reverse") return Order(Kind::reverse, 0);
    if (order.starts_with("random:"))
      return Order(Kind::random, static_cast<unsigned>(std::atoi(order.c_str() + 7)));
    throw Error("DRAPE_EMULATOR_ORDER: expected forward, reverse or random:SEED, got " + order);
  }

  Order() = default;

  /// first ... end-1 in this order.
  std::vector<unsigned> of(unsigned first, unsigned end) {
    std::vector<unsigned> all(end - first);
    for (unsigned i = 0; i < all.size(); ++i) all[i] = first + i;
    if (kind_ == Kind::reverse) std::reverse(all.begin(), all.end());
    if (kind_ == Kind::random) std::shuffle(all.begin(), all.end(), random_);
    return all;
  }

 private:
  enum class Kind { forward, reverse, random } kind_ = Kind::forward;
  std::minstd_rand random_;
  Order(Kind kind, unsigned seed) : kind_(kind), random_(seed) {}
};

}  // namespace drape::emulator
