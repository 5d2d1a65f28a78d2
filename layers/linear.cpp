#include "layers/linear.h"

namespace drape {
namespace {

kernels::LinearGeometry linear_geometry(const Shape& x, const Shape& w) {
  DRAPE_CHECK(w.rank() == 2 && w.size() > 0, "linear: expected weight [K,C], got {}",
              w.to_string());
  DRAPE_CHECK(x.rank() == 2 && x.size() > 0 && x[1] == w[1],
              "linear: expected input [N,{}] that is not empty, for weight {}, got {}", w[1],
              w.to_string(), x.to_string());
  return {.N = x[0], .C = x[1], .K = w[0]};
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, const LinearOptions& options) {
  kernels::LinearGeometry geometry = linear_geometry(x.shape(), w.shape());
  geometry.input = options.input;
  geometry.output = options.output;
  DRAPE_CHECK(b.empty() || b.shape() == Shape{geometry.K}, "linear: expected bias [{}], got {}",
              geometry.K, b.shape().to_string());
  check_together("linear", x, {w, b});
  Tensor y = Tensor::like(x, {geometry.N, geometry.K});
  dispatch(x, [&]<class T>(auto tag, T) {
    kernels::linear_forward(tag, geometry, x.data<T>(), w.data<T>(), b.data<T>(), y.data<T>());
  });
  return record(y, {x, w, b}, [=](const Tensor& dy) -> Grads {
    Tensor dx = gradient_like(x);
    Tensor dw = gradient_like(w);
    Tensor db = gradient_like(b);
    dispatch(x, [&]<class T>(auto tag, T) {
      kernels::linear_backward<T>(tag, geometry, x.data<T>(), w.data<T>(), y.data<T>(),
                                  dy.data<T>(), {dx.data<T>(), dw.data<T>(), db.data<T>()});
    });
    return {dx, dw, db};
  });
}

Linear::Linear(std::int64_t in, std::int64_t out, const LinearOptions& options)
    : options_(options) {
  DRAPE_CHECK(in >= 1 && out >= 1, "Linear: expected in and out >= 1, got {} and {}", in, out);
  weight_ = parameter({out, in});
  bias_ = parameter({out});
}

Tensor Linear::forward(const Tensor& x, const Pass& pass) {
  return linear(x, pass.use(weight_), pass.use(bias_), options_);
}

Shape Linear::output_shape(const Shape& x) const {
  const kernels::LinearGeometry g = linear_geometry(x, weight_.shape());
  return {g.N, g.K};
}

std::int64_t Linear::multiply_adds(const Shape& x) const {
  const kernels::LinearGeometry g = linear_geometry(x, weight_.shape());
  return g.N * g.C * g.K;
}

void Linear::initialize(Generator& random) {
  initialize_uniform(random, weight_, bias_);
}

void Linear::visit(const Visitor& visit) {
  visit("weight", Role::parameter, weight_);
  visit("bias", Role::parameter, bias_);
}

OnnxValue Linear::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  std::string input = x.name;
  if (options_.input == Activation::relu) input = graph.node("Relu", {input});
  std::string result =
      graph.node("Gemm", {input, graph.constant("weight", weight_), graph.constant("bias", bias_)},
                 {{"transB", std::int64_t{1}}});
  if (options_.output == Activation::relu) result = graph.node("Relu", {result});
  return {result, output_shape(x.shape)};
}

}  // namespace drape
