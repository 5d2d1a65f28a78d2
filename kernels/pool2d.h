// Sizes of 2-d pooling, and which pixels meet which windows; shared by max and average pooling.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/geometry.h"
#include "kernels/host_device.h"
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
  DRAPE_HOST_DEVICE Range cells_inside(std::int64_t output) const {
    const std::int64_t first = start(output);
    return {first < 0 ? -first : 0, window < inputs - first ? window : inputs - first};
  }
  /// The windows that cover pixel `input`; it is cell input - start(output) of each.
  DRAPE_HOST_DEVICE Range windows_over(std::int64_t input) const {
    const std::int64_t padded = input + padding;
    const std::int64_t end = padded / stride + 1;
    return {padded < window ? 0 : (padded - window) / stride + 1, end < outputs ? end : outputs};
  }
  DRAPE_HOST_DEVICE std::int64_t start(std::int64_t output) const {
    return output * stride - padding;
  }
};

DRAPE_HOST_DEVICE PoolAxis y_axis(const Pool2dGeometry& g) {
  return {g.H, g.P, g.window.y, g.stride.y, g.padding.y};
}
DRAPE_HOST_DEVICE PoolAxis x_axis(const Pool2dGeometry& g) {
  return {g.W, g.Q, g.window.x, g.stride.x, g.padding.x};
}

/// Rows that one task should take, so that it handles at least 2^14 of their elements.
inline std::int64_t pool_grain(std::int64_t row_elements) {
  return std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, row_elements));
}

}  // namespace drape::kernels
