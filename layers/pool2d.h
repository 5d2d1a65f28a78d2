// What max and average pooling share.
#pragma once

#include <optional>
#include <vector>

#include "core/onnx.h"
#include "core/shape.h"
#include "kernels/pool2d.h"

namespace drape {

/// A window of `window` cells moves by `stride` (default: window) over the image with `padding`
/// cells added on each side, at most half the window. Output: floor((H + 2 padding - window) /
/// stride) + 1.
struct Pool2dOptions {
  Size2 window = 2;
  std::optional<Size2> stride = std::nullopt;
  Size2 padding = 0;
};

/// Sizes of pooling `x`, [N,H,W,C]. Error naming `op` if x is not an image or the window does not
/// fit.
kernels::Pool2dGeometry pool2d_geometry(const char* op, const Shape& x,
                                        const Pool2dOptions& options);

/// The attributes of such a pooling in ONNX.
std::vector<OnnxAttribute> onnx_attributes(const kernels::Pool2dGeometry& g);

/// [N,P,Q,C]
inline Shape output_shape(const kernels::Pool2dGeometry& g) {
  return {g.N, g.P, g.Q, g.C};
}

}  // namespace drape
