#include "layers/pool2d.h"

#include "core/check.h"

namespace drape {

kernels::Pool2dGeometry pool2d_geometry(const char* op, const Shape& x,
                                        const Pool2dOptions& options) {
  const Size2 window = options.window, padding = options.padding;
  const Size2 stride = options.stride.value_or(window);
  DRAPE_CHECK(x.rank() == 4, "{}: expected x [N,H,W,C], got {}", op, x.to_string());
  DRAPE_CHECK(x[1] >= 1 && x[2] >= 1, "{}: expected images with pixels, got {}", op, x.to_string());
  const std::int64_t P = output_size(op, x[1], window.y, stride.y, padding.y, 1);
  const std::int64_t Q = output_size(op, x[2], window.x, stride.x, padding.x, 1);
  DRAPE_CHECK(2 * padding.y <= window.y && 2 * padding.x <= window.x,
              "{}: expected a padding of at most half the window {}x{}, got {}x{}", op, window.y,
              window.x, padding.y, padding.x);
  return {x[0], x[1], x[2], x[3], P, Q, window, stride, padding};
}

std::vector<OnnxAttribute> onnx_attributes(const kernels::Pool2dGeometry& g) {
  using Ints = std::vector<std::int64_t>;
  return {{"kernel_shape", Ints{g.window.y, g.window.x}},
          {"strides", Ints{g.stride.y, g.stride.x}},
          {"pads", Ints{g.padding.y, g.padding.x, g.padding.y, g.padding.x}}};
}

}  // namespace drape
