#include "layers/conv2d.h"

namespace drape {

Shape output_shape(const char* op, const Conv2dGeometry& g, Pooling pooling) {
  if (pooling == Pooling::none) return {g.N, g.P, g.Q, g.K};
  DRAPE_CHECK(g.P >= 2 && g.Q >= 2, "{}: expected 2x2 outputs to pool or more, got {}x{}", op, g.P,
              g.Q);
  return {g.N, g.P / 2, g.Q / 2, g.K};
}

Tensor cells_of(const Tensor& y, Pooling pooling) {
  if (pooling == Pooling::none) return Tensor();
  return Tensor::uninitialized(y.shape(), DType::u8, y.device());
}

Conv2dGeometry conv2d_geometry(const char* op, const Shape& x, const Shape& w,
                               const Conv2dOptions& options) {
  const std::int64_t groups = options.groups;
  DRAPE_CHECK(groups >= 1, "{}: expected groups >= 1, got {}", op, groups);
  DRAPE_CHECK(w.rank() == 4 && w.size() > 0 && w[0] % groups == 0,
              "{}: expected weight [K,R,S,C] with K a multiple of {} groups, got {}", op, groups,
              w.to_string());
  DRAPE_CHECK(
      x.rank() == 4 && x.size() > 0 && x[3] == w[3] * groups,
      "{}: expected input [N,H,W,{}] that is not empty, for weight {} and {} groups, got {}", op,
      w[3] * groups, w.to_string(), groups, x.to_string());
  return {.N = x[0],
          .H = x[1],
          .W = x[2],
          .C = x[3],
          .K = w[0],
          .R = w[1],
          .S = w[2],
          .P = output_size(op, x[1], w[1], options.stride.y, options.padding.y, options.dilation.y),
          .Q = output_size(op, x[2], w[2], options.stride.x, options.padding.x, options.dilation.x),
          .stride = options.stride,
          .padding = options.padding,
          .dilation = options.dilation,
          .groups = groups};
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2dOptions& options) {
  const Conv2dGeometry geometry = conv2d_geometry("conv2d", x.shape(), w.shape(), options);
  DRAPE_CHECK(b.empty() || b.shape() == Shape{geometry.K}, "conv2d: expected bias [{}], got {}",
              geometry.K, b.shape().to_string());
  check_together("conv2d", x, {w, b});
  Tensor y = Tensor::like(x, output_shape("conv2d", geometry, options.pooling));
  Tensor cell = cells_of(y, options.pooling);
  dispatch(x, [&]<class T>(auto tag, T) {
    kernels::conv2d_forward<T>(tag, geometry, x.data<T>(), w.data<T>(), b.data<T>(),
                               {options.activation, y.data<T>(), cell.data<std::uint8_t>()});
  });
  return record(y, {x, w, b}, [=, activation = options.activation](const Tensor& dy) -> Grads {
    Tensor dx = gradient_like(x);
    Tensor dw = gradient_like(w);
    Tensor db = gradient_like(b);
    dispatch(x, [&]<class T>(auto tag, T) {
      kernels::conv2d_backward<T>(tag, geometry, x.data<T>(), w.data<T>(),
                                  {activation, y.data<T>(), cell.data<std::uint8_t>()},
                                  dy.data<T>(), {dx.data<T>(), dw.data<T>(), db.data<T>()});
    });
    return {dx, dw, db};
  });
}

Conv2d::Conv2d(std::int64_t in, std::int64_t out, std::int64_t filter, const Conv2dOptions& options)
    : options_(options) {
  DRAPE_CHECK(in >= 1 && out >= 1 && filter >= 1 && options.groups >= 1 && in % options.groups == 0,
              "Conv2d: expected channels, filters and filter size >= 1 and groups that divide the "
              "channels, got {}, {}, {} and {}",
              in, out, filter, options.groups);
  weight_ = parameter({out, filter, filter, in / options.groups});
  bias_ = parameter({out});
}

Tensor Conv2d::forward(const Tensor& x, const Pass& pass) {
  return conv2d(x, pass.use(weight_), pass.use(bias_), options_);
}

Shape Conv2d::output_shape(const Shape& x) const {
  const Conv2dGeometry g = conv2d_geometry("Conv2d", x, weight_.shape(), options_);
  return drape::output_shape("Conv2d", g, options_.pooling);
}

std::int64_t Conv2d::multiply_adds(const Shape& x) const {
  const Conv2dGeometry g = conv2d_geometry("Conv2d", x, weight_.shape(), options_);
  return g.N * g.P * g.Q * weight_.size();
}

void Conv2d::initialize(Generator& random) {
  initialize_uniform(random, weight_, bias_);
}

void Conv2d::visit(const Visitor& visit) {
  visit("weight", Role::parameter, weight_);
  visit("bias", Role::parameter, bias_);
}

OnnxValue onnx_convolution(OnnxGraph& graph, std::string_view op,
                           const std::vector<std::string>& inputs, const Shape& w,
                           const Conv2dOptions& options, const Shape& y,
                           std::vector<OnnxAttribute> attributes) {
  using Ints = std::vector<std::int64_t>;
  const Size2 padding = options.padding;
  attributes.insert(attributes.end(), {{"kernel_shape", Ints{w[1], w[2]}},
                                       {"strides", Ints{options.stride.y, options.stride.x}},
                                       {"pads", Ints{padding.y, padding.x, padding.y, padding.x}},
                                       {"dilations", Ints{options.dilation.y, options.dilation.x}},
                                       {"group", options.groups}});
  std::string result = graph.node(op, inputs, attributes);
  if (options.activation == Activation::relu) result = graph.node("Relu", {result});
  if (options.pooling == Pooling::max_2x2) {
    result =
        graph.node("MaxPool", {result}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  }
  return {result, y};
}

OnnxValue Conv2d::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  return onnx_convolution(graph, "Conv",
                          {x.name, graph.filters("weight", weight_), graph.constant("bias", bias_)},
                          weight_.shape(), options_, output_shape(x.shape));
}

}  // namespace drape
