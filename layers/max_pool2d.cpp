#include "layers/max_pool2d.h"

#include "kernels/max_pool2d.h"

namespace drape {
namespace {

kernels::Pool2dGeometry checked_geometry(const Shape& x, const Pool2dOptions& options) {
  const auto g = pool2d_geometry("max_pool2d", x, options);
  DRAPE_CHECK(g.window.y <= kernels::kMaxPoolCells / g.window.x,
              "max_pool2d: expected a window of at most {} cells, got {}x{}",
              kernels::kMaxPoolCells, g.window.y, g.window.x);
  return g;
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const auto g = checked_geometry(x.shape(), options);
  Tensor y = Tensor::like(x, output_shape(g));
  Tensor position = Tensor::uninitialized(y.shape(), DType::u8, x.device());
  dispatch(x, [&]<class T>(auto tag, T) {
    kernels::max_pool2d_forward(tag, g, x.data<T>(), y.data<T>(), position.data<std::uint8_t>());
  });
  return record(y, {x}, [g, x_shape = x.shape(), position](const Tensor& dy) -> Grads {
    Tensor dx = Tensor::like(dy, x_shape);
    dispatch(dy, [&]<class T>(auto tag, T) {
      kernels::max_pool2d_backward(tag, g, dy.data<T>(), position.data<std::uint8_t>(),
                                   dx.data<T>());
    });
    return {dx};
  });
}

Shape MaxPool2d::output_shape(const Shape& x) const {
  return drape::output_shape(checked_geometry(x, options_));
}

OnnxValue MaxPool2d::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  const auto g = checked_geometry(x.shape, options_);
  return {graph.node("MaxPool", {x.name}, onnx_attributes(g)), drape::output_shape(g)};
}

}  // namespace drape
