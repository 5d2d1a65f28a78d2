// Sizes of 2-d pooling, and which pixels meet which windows; shared by max and average pooling.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/geometry.h"
#include "kernels/parallel.h"

namespace drape::kernels {

/// N images of H x W with C channels, pooled to P x Q. x [N,H,W,C], y [N,P,Q,C].
struct Pool2dGeometry {
  std::int64_t N, H, W, C, P, Q;
  Size2 window, stride, padding;
};

/// One axis of a pooling: `inputs` pixels, `outputs` windows.
struct PoolAxis {
  std::int64_t inputs, outputs, window, stride, padding;

  /// The cells of window `output` that lie inside the image; cell r is pixel start(output) + r.
  Range cells_inside(std::int64_t output) const {
    const std::int64_t first = start(output);
    return {std::max<std::int64_t>(0, -first), std::min(window, inputs - first)};
  }
  /// The windows that cover pixel `input`; it is cell input - start(output) of each.
  Range windows_over(std::int64_t input) const {
    const std::int64_t padded = input + padding;
    return {padded < window ? 0 : (padded - window) / stride + 1,
            std::min(outputs, padded / stride + 1)};
  }
  std::int64_t start(std::int64_t output) const { return output * stride - padding; }
};

inline PoolAxis y_axis(const Pool2dGeometry& g) {
  return {g.H, g.P, g.window.y, g.stride.y, g.padding.y};
}
inline PoolAxis x_axis(const Pool2dGeometry& g) {
  return {g.W, g.Q, g.window.x, g.stride.x, g.padding.x};
}

/// Rows that one task should take, so that it handles at least 2^14 of their elements.
inline std::int64_t pool_grain(std::int64_t row_elements) {
  return std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, row_elements));
}

}  // namespace drape::kernels
