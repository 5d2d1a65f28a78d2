// Max pooling by 2x2 windows of what a CPU kernel has in registers: a convolution's way out.
#pragma once

#include <array>

#include "kernels/activation.h"
#include "kernels/conv2d.h"
#include "kernels/float8.h"

namespace drape::kernels {

/// A 2x2 window in scan order, of eight channels.
using Window8 = std::array<Float8, 4>;

/// For `count` of the channels: y = the largest of the values, after ReLU if asked for, cell = the
/// first that is (among NaN: the last), or kNoCell where the derivative is zero.
inline void store_window_max(const Window8& z, bool relu, float* y, std::uint8_t* cell,
                             std::int64_t count = 8) {
  Float8 best = z[0];
  Int8 at{};
  for (int i = 1; i < 4; ++i) {
    const Int8 beaten = (z[i] > best) | (z[i] != z[i]);
    best = beaten ? z[i] : best;
    at = beaten ? Int8{} + i : at;
  }
  if (relu) {
    at = best > 0.0f ? at : Int8{} + kNoCell;
    best = relu8(best);
  }
  store8(best, y, count);
  store_bytes8(at, cell, count);
}

/// The gradient of the four values from that of their largest.
inline Window8 window_gradient(const float* dy, const std::uint8_t* cell, std::int64_t count = 8) {
  const Float8 gradient = load8(dy, count);
  const Int8 at = load_bytes8(cell, count);
  Window8 dz;
  for (int i = 0; i < 4; ++i) dz[i] = at == i ? gradient : Float8{};
  return dz;
}

}  // namespace drape::kernels
