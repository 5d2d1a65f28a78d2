// The shapes of the ten Fashion-MNIST classes, drawn at random as stacks of polygons.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/philox.h"

namespace drape {

/// Reads a random stream front to back.
class Draws {
 public:
  explicit Draws(RandomStream stream) : stream_(stream) {}
  std::uint32_t word() {
    if (position_ % 4 == 0) block_ = stream_.words(position_ / 4);
    return block_[position_++ % 4];
  }
  float uniform(float low, float high) {
    return low + (high - low) * RandomStream::to_uniform(word());
  }
  bool chance(float probability) { return uniform(0, 1) < probability; }

 private:
  RandomStream stream_;
  std::uint64_t position_ = 0;
  std::array<std::uint32_t, 4> block_ = {};
};

struct Point {
  float x, y;  // x to the right, y down
};

/// A polygon painted over what lies below it.
struct Part {
  std::vector<Point> outline;
  float shade = 1;  // times the brightness of the cloth; 0 cuts a hole
};

/// A garment of class `label` (0 ... 9), seen upright in the square [-1,1] x [-1,1], lowest part
/// first.
std::vector<Part> draw_garment(int label, Draws& draws);

}  // namespace drape
