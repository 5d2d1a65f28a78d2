#include "layers/deform_conv2d.h"

#include <string>
#include <vector>

#include "layers/cast.h"
#include "layers/sigmoid.h"

namespace drape {
namespace {

// Those of the ordinary convolutions that predict offsets and mask.
Conv2dOptions predicting(const DeformConv2dOptions& options) {
  return {.stride = options.stride, .padding = options.padding, .dilation = options.dilation};
}

// Those of the same convolution without its offsets.
Conv2dOptions dense(const DeformConv2dOptions& options) {
  return {.stride = options.stride,
          .padding = options.padding,
          .dilation = options.dilation,
          .groups = options.groups,
          .activation = options.activation,
          .pooling = options.pooling};
}

kernels::DeformConv2dGeometry deform_geometry(const Shape& x, const Shape& w,
                                              const DeformConv2dOptions& options) {
  const Conv2dGeometry geometry = conv2d_geometry("deform_conv2d", x, w, dense(options));
  DRAPE_CHECK(options.offset_groups >= 1 && geometry.C % options.offset_groups == 0,
              "deform_conv2d: expected offset groups >= 1 that divide {} channels, got {}",
              geometry.C, options.offset_groups);
  DRAPE_CHECK(geometry.H * geometry.W < (std::int64_t{1} << 29) && geometry.H < (1 << 23) &&
                  geometry.W < (1 << 23),
              "deform_conv2d: expected an image of fewer than 2^29 pixels, got {} x {}", geometry.H,
              geometry.W);
  return {geometry, options.offset_groups};
}

void check_shape(const char* what, const Tensor& tensor, const Shape& expected) {
  DRAPE_CHECK(tensor.empty() || tensor.shape() == expected, "deform_conv2d: expected {} {}, got {}",
              what, expected.to_string(), tensor.shape().to_string());
}

}  // namespace

Tensor deform_conv2d(const Tensor& x, const Tensor& given_offset, const Tensor& given_mask,
                     const Tensor& w, const Tensor& b, const DeformConv2dOptions& options) {
  const auto geometry = deform_geometry(x.shape(), w.shape(), options);
  const Conv2dGeometry& g = geometry.conv;
  DRAPE_CHECK(!given_offset.empty(), "deform_conv2d: expected an offset, got an empty tensor");
  const Tensor offset = widened(given_offset), mask = widened(given_mask);  // in bf16 off by pixels
  check_shape("offset", offset, {g.N, g.P, g.Q, 2 * geometry.points()});
  check_shape("mask", mask, {g.N, g.P, g.Q, geometry.points()});
  check_shape("bias", b, {g.K});
  check_together("deform_conv2d", x, {w, b}, {offset, mask});
  const auto inputs = [=]<class T>(T) {
    using Kept = Accumulator<T>;
    return kernels::DeformConv2dInputs<T>{x.data<T>(), offset.data<Kept>(), mask.data<Kept>(),
                                          w.data<T>(), b.data<T>()};
  };
  Tensor y = Tensor::like(x, output_shape("deform_conv2d", g, options.pooling));
  Tensor cell = cells_of(y, options.pooling);
  dispatch(x, [&]<class T>(auto tag, T zero) {
    kernels::deform_conv2d_forward<T>(tag, geometry, inputs(zero),
                                      {options.activation, y.data<T>(), cell.data<std::uint8_t>()});
  });
  return record(y, {x, offset, mask, w, b}, [=, activation = options.activation](const Tensor& dy) {
    Tensor dx = gradient_like(x), d_offset = gradient_like(offset), d_mask = gradient_like(mask);
    Tensor dw = gradient_like(w), db = gradient_like(b);
    dispatch(x, [&]<class T>(auto tag, T zero) {
      kernels::deform_conv2d_backward<T>(
          tag, geometry, inputs(zero), {activation, y.data<T>(), cell.data<std::uint8_t>()},
          dy.data<T>(),
          {dx.data<T>(), d_offset.data<Accumulator<T>>(), d_mask.data<Accumulator<T>>(),
           dw.data<T>(), db.data<T>()});
    });
    return Grads{dx, d_offset, d_mask, dw, db};
  });
}

DeformConv2d::DeformConv2d(std::int64_t in, std::int64_t out, std::int64_t filter,
                           const DeformConv2dOptions& options, Modulation modulation)
    : options_(options) {
  DRAPE_CHECK(
      in >= 1 && out >= 1 && filter >= 1 && options.groups >= 1 && in % options.groups == 0 &&
          options.offset_groups >= 1 && in % options.offset_groups == 0,
      "DeformConv2d: expected channels, filters and filter size >= 1 and groups and offset groups "
      "that divide the channels, got {}, {}, {}, {} and {}",
      in, out, filter, options.groups, options.offset_groups);
  const std::int64_t points = options.offset_groups * filter * filter;
  offset_weight_ = parameter({2 * points, filter, filter, in});
  offset_bias_ = parameter({2 * points});
  weight_ = parameter({out, filter, filter, in / options.groups});
  bias_ = parameter({out});
  if (modulation == Modulation::none) return;
  mask_weight_ = parameter({points, filter, filter, in});
  mask_bias_ = parameter({points});
}

Tensor DeformConv2d::forward(const Tensor& x, const Pass& pass) {
  const Tensor offset =
      conv2d(x, pass.use(offset_weight_), pass.use(offset_bias_), predicting(options_));
  Tensor mask;
  if (!mask_weight_.empty())
    mask = sigmoid(conv2d(x, pass.use(mask_weight_), pass.use(mask_bias_), predicting(options_)));
  return deform_conv2d(x, offset, mask, pass.use(weight_), pass.use(bias_), options_);
}

Tensor DeformConv2d::offsets(const Tensor& x) const {
  return conv2d(x, offset_weight_.detach(), offset_bias_.detach(), predicting(options_));
}

Shape DeformConv2d::output_shape(const Shape& x) const {
  return drape::output_shape("DeformConv2d", deform_geometry(x, weight_.shape(), options_).conv,
                             options_.pooling);
}

std::int64_t DeformConv2d::multiply_adds(const Shape& x) const {
  const auto geometry = deform_geometry(x, weight_.shape(), options_);
  const std::int64_t pixels = geometry.conv.N * geometry.conv.P * geometry.conv.Q;
  const std::int64_t sampled = geometry.taps() * geometry.conv.C;
  const std::int64_t masks = mask_weight_.empty() ? 0 : mask_weight_.size();
  return pixels * (offset_weight_.size() + masks + weight_.size() + 4 * sampled);
}

void DeformConv2d::initialize(Generator& random) {
  initialize_uniform(random, weight_, bias_);
}

void DeformConv2d::visit(const Visitor& visit) {
  visit("offset.weight", Role::parameter, offset_weight_);
  visit("offset.bias", Role::parameter, offset_bias_);
  if (!mask_weight_.empty()) {
    visit("mask.weight", Role::parameter, mask_weight_);
    visit("mask.bias", Role::parameter, mask_bias_);
  }
  visit("weight", Role::parameter, weight_);
  visit("bias", Role::parameter, bias_);
}

OnnxValue DeformConv2d::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  const OnnxValue offset = onnx_convolution(graph, "Conv",
                                            {x.name, graph.filters("offset.weight", offset_weight_),
                                             graph.constant("offset.bias", offset_bias_)},
                                            offset_weight_.shape(), predicting(options_), {});
  std::vector<std::string> inputs{x.name, graph.filters("weight", weight_), offset.name,
                                  graph.constant("bias", bias_)};
  if (!mask_weight_.empty()) inputs.push_back(onnx_mask(graph, x));
  return onnx_convolution(graph, "DeformConv", inputs, weight_.shape(), dense(options_),
                          output_shape(x.shape), {{"offset_group", options_.offset_groups}});
}

std::string DeformConv2d::onnx_mask(OnnxGraph& graph, const OnnxValue& x) const {
  const OnnxValue mask = onnx_convolution(
      graph, "Conv",
      {x.name, graph.filters("mask.weight", mask_weight_), graph.constant("mask.bias", mask_bias_)},
      mask_weight_.shape(), predicting(options_), {});
  return graph.node("Sigmoid", {mask.name});
}

Tensor each_deformable(Sequential& network, const Tensor& x,
                       const std::function<void(const std::string& name, DeformConv2d& layer,
                                                const Tensor& x)>& body) {
  const Pass pass = Pass::eval();
  Tensor y = x;
  network.each([&](const std::string& name, Module& module) {
    if (auto* const inner = dynamic_cast<Sequential*>(&module)) {
      y = each_deformable(*inner, y,
                          [&](const std::string& of, DeformConv2d& layer, const Tensor& in) {
                            body(name + "." + of, layer, in);
                          });
      return;
    }
    if (auto* const deformable = dynamic_cast<DeformConv2d*>(&module)) body(name, *deformable, y);
    y = module.forward(y, pass);
  });
  return y;
}

}  // namespace drape
