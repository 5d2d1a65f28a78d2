#include "layers/avg_pool2d.h"

#include "kernels/avg_pool2d.h"

namespace drape {

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options) {
  const auto g = pool2d_geometry("avg_pool2d", x.shape(), options);
  Tensor y = Tensor::like(x, output_shape(g));
  dispatch(x, [&]<class T>(auto tag, T) {
    kernels::avg_pool2d_forward(tag, g, x.data<T>(), y.data<T>());
  });
  return record(y, {x}, [g, x_shape = x.shape()](const Tensor& dy) -> Grads {
    Tensor dx = Tensor::like(dy, x_shape);
    dispatch(dy, [&]<class T>(auto tag, T) {
      kernels::avg_pool2d_backward(tag, g, dy.data<T>(), dx.data<T>());
    });
    return {dx};
  });
}

Shape AvgPool2d::output_shape(const Shape& x) const {
  return drape::output_shape(pool2d_geometry("avg_pool2d", x, options_));
}

OnnxValue AvgPool2d::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  const auto g = pool2d_geometry("avg_pool2d", x.shape, options_);
  std::vector<OnnxAttribute> attributes = onnx_attributes(g);
  attributes.emplace_back("count_include_pad", std::int64_t{1});
  return {graph.node("AveragePool", {x.name}, attributes), drape::output_shape(g)};
}

}  // namespace drape
