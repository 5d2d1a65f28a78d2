#include "tests/op_table.h"

#include "core/random.h"
#include "layers/add.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm.h"
#include "layers/cast.h"
#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/losses.h"
#include "layers/max_pool2d.h"
#include "layers/relu.h"
#include "layers/sigmoid.h"

namespace drape::tests {
namespace {

using Inputs = std::span<const Tensor>;

constexpr RandomStream kStream{.seed = 20240607, .id = 0};

Input fixed(const Shape& shape, Values rule = Values::uniform) {
  return {shape, rule, FirstAxis::fixed};
}

// Rows of positive numbers that add up to 1: targets of the losses, which have no gradient.
Tensor targets_for(const Tensor& logits) {
  std::vector<double> t =
      draw(logits.shape(), Values::positive, kStream, DType::f64).to_vector<double>();
  const auto classes = static_cast<std::size_t>(logits.shape()[1]);
  for (std::size_t row = 0; row < t.size(); row += classes) {
    double sum = 0.0;
    for (std::size_t k = 0; k < classes; ++k) sum += t[row + k];
    for (std::size_t k = 0; k < classes; ++k) t[row + k] /= sum;
  }
  return Tensor::from(logits.shape(), t).to(accumulator(logits.dtype())).to(logits.device());
}

Function pooled(Tensor (*pool)(const Tensor&, const Pool2dOptions&), const Pool2dOptions& options) {
  return [=](Inputs in) { return pool(in[0], options); };
}

// Sizes of the study's layers, of detection, and odd ones. Elementwise ops: about one operation an
// element.
std::vector<RealSize> elementwise_size(const Shape& x) {
  return {{x.to_string(), {x}, static_cast<double>(x.size())}};
}

// Of every op that follows a convolution of the study: after the first and after the second.
std::vector<RealSize> after_convolutions(double flop_an_element, int channel_inputs = 0) {
  std::vector<RealSize> sizes;
  for (const Shape& x : {Shape{64, 28, 28, 32}, Shape{64, 14, 14, 64}}) {
    std::vector<Shape> shapes{x};
    for (int i = 0; i < channel_inputs; ++i) shapes.push_back({x[3]});
    sizes.push_back({x.to_string(), shapes, flop_an_element * static_cast<double>(x.size())});
  }
  return sizes;
}

RealSize linear_size(std::int64_t N, std::int64_t C, std::int64_t K) {
  return {fmt::format("n{}_c{}_k{}", N, C, K),
          {{N, C}, {K, C}, {K}},
          2.0 * static_cast<double>(N * C * K)};
}

// N images of size x size, 3x3 filters, padding that keeps the size.
RealSize conv2d_size(std::int64_t N, std::int64_t C, std::int64_t K, std::int64_t size) {
  return {fmt::format("n{}_c{}_k{}_{}x{}", N, C, K, size, size),
          {{N, size, size, C}, {K, 3, 3, C}, {K}},
          2.0 * 9.0 * static_cast<double>(N * size * size * C * K)};
}

RealSize deform_conv2d_size(std::int64_t N, std::int64_t C, std::int64_t K, std::int64_t size) {
  RealSize real = conv2d_size(N, C, K, size);
  real.shapes.insert(real.shapes.begin() + 1, {N, size, size, 18});
  return real;
}

// Fresh running statistics on each call: train mode changes them.
Function normalized(Mode mode, const BatchNormOptions& options = {}) {
  return [=](Inputs in) {
    const auto running = [&](double value) {
      return Tensor::full(in[1].shape(), value, accumulator(in[0].dtype()), in[0].device());
    };
    return batch_norm(in[0], {in[1], in[2], running(0.25), running(0.5)}, mode, options, kStream);
  };
}

std::vector<Input> normalized_inputs(const Shape& x) {
  const Shape channels{x[x.rank() - 1]};
  return {{x}, fixed(channels, Values::positive), fixed(channels)};
}

// Inputs x, w and, if the row has three, b.
Function convolved(const Conv2dOptions& options) {
  return [=](Inputs in) { return conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), options); };
}

// The same of an image that is not an input, as a network's first layer has it.
Function convolved_constant(const Shape& shape, const Conv2dOptions& options) {
  return [=](Inputs in) {
    const Tensor x = draw(shape, Values::distinct, kStream, in[0].dtype());
    return conv2d(x.to(in[0].device()), in[0], in.size() > 1 ? in[1] : Tensor(), options);
  };
}

enum class Mask { absent, present };

// Inputs x, offset, w, b and, last, the mask where it is present.
Function deformed(const DeformConv2dOptions& options, Mask mask = Mask::absent) {
  return [=](Inputs in) {
    return deform_conv2d(in[0], in[1], mask == Mask::present ? in[4] : Tensor(), in[2], in[3],
                         options);
  };
}

std::vector<Op> elementwise_rows() {
  return {
      {"relu",
       {{{2, 3, 2, 5}, Values::nonzero}},
       [](Inputs in) { return relu(in[0]); },
       elementwise_size({64, 28, 28, 32})},
      {"sigmoid",
       {{{2, 3, 2, 5}}},
       [](Inputs in) { return sigmoid(in[0]); },
       elementwise_size({64, 14, 14, 9})},
      {"add", {{{3, 5}}, {{3, 5}}}, [](Inputs in) { return add(in[0], in[1]); }},
      {"add a tensor to itself", {{{3, 5}}}, [](Inputs in) { return add(in[0], in[0]); }},
      {"cast and back",
       {{{3, 5}}},  // f64 stays: no difference quotient is right in less
       [](Inputs in) { return cast(cast(in[0], DType::f64), in[0].dtype()); }},
      {"flatten", {{{2, 3, 1, 4}}}, [](Inputs in) { return flatten(in[0]); }},
      {"dropout",
       {{{3, 13}}},
       [](Inputs in) { return dropout(in[0], 0.3, kStream); },
       elementwise_size({64, 3136})},
      {"dropout of most", {{{5, 2, 3, 1}}}, [](Inputs in) { return dropout(in[0], 0.9, kStream); }},
      {"softmax_cross_entropy",
       {{{2, 37}}},  // more classes than a warp has lanes
       [](Inputs in) { return softmax_cross_entropy(in[0], targets_for(in[0])); }},
      {"bce_with_logits",
       {{{3, 7}}},
       [](Inputs in) { return bce_with_logits(in[0], targets_for(in[0])); }},
  };
}

std::vector<Op> pooling_rows() {
  const auto distinct = [](const Shape& x) { return std::vector<Input>{{x, Values::distinct}}; };
  return {
      {"max_pool2d", distinct({2, 4, 6, 3}), pooled(max_pool2d, {}), after_convolutions(1.0)},
      {"max_pool2d, odd size", distinct({3, 5, 7, 1}), pooled(max_pool2d, {})},
      {"max_pool2d, padded", distinct({1, 4, 5, 3}), pooled(max_pool2d, {.padding = 1})},
      {"max_pool2d, overlapping, padded", distinct({1, 5, 6, 3}),
       pooled(max_pool2d, {.window = 3, .stride = 2, .padding = 1})},
      {"max_pool2d, by axis", distinct({1, 7, 6, 2}),
       pooled(max_pool2d, {.window = {3, 2}, .stride = Size2(1, 2), .padding = {1, 0}})},
      {"max_pool2d, gaps", distinct({2, 7, 7, 2}), pooled(max_pool2d, {.window = 2, .stride = 3})},
      {"avg_pool2d", {{{2, 4, 6, 3}}}, pooled(avg_pool2d, {}), elementwise_size({64, 28, 28, 32})},
      {"avg_pool2d, overlapping, padded",
       {{{1, 5, 6, 3}}},
       pooled(avg_pool2d, {.window = 3, .stride = 2, .padding = 1})},
      {"avg_pool2d, by axis",
       {{{3, 6, 5, 1}}},
       pooled(avg_pool2d, {.window = {2, 3}, .stride = Size2(3, 1), .padding = {1, 0}})},
  };
}

std::vector<Op> batch_norm_rows() {
  const BatchNormOptions with_relu{.activation = Activation::relu};
  const BatchNormOptions with_both{.epsilon = 1e-3, .activation = Activation::relu, .dropout = 0.4};
  return {
      {"batch_norm", normalized_inputs({2, 3, 2, 3}), normalized(Mode::train)},
      {"batch_norm, rows", normalized_inputs({7, 2}), normalized(Mode::train)},
      {"batch_norm, one channel", normalized_inputs({1, 3, 3, 1}), normalized(Mode::train)},
      {"batch_norm, relu", normalized_inputs({3, 2, 2, 2}), normalized(Mode::train, with_relu),
       after_convolutions(10.0, 2)},
      {"batch_norm, dropout", normalized_inputs({5, 1, 2, 3}),
       normalized(Mode::train, {.dropout = 0.4})},
      {"batch_norm, relu, dropout", normalized_inputs({3, 2, 2, 3}),
       normalized(Mode::train, with_both), after_convolutions(10.0, 2)},
      {"batch_norm, eval", normalized_inputs({2, 3, 2, 3}), normalized(Mode::eval)},
      {"batch_norm, eval, relu", normalized_inputs({1, 3, 2, 2}),
       normalized(Mode::eval, with_both)},
  };
}

std::vector<Op> linear_rows() {
  const auto linear_of = [](const LinearOptions& options) -> Function {
    return
        [=](Inputs in) { return linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), options); };
  };
  const Activation relu = Activation::relu;
  return {
      {"linear",
       {{{3, 5}}, fixed({4, 5}), fixed({4})},
       linear_of({}),
       {linear_size(64, 128, 10), linear_size(257, 3, 1)}},
      {"linear, no bias", {{{7, 3}}, fixed({2, 3})}, linear_of({})},
      {"linear, relu",
       {{{5, 4}}, fixed({3, 4}), fixed({3})},
       linear_of({.output = relu}),
       {linear_size(64, 3136, 128), linear_size(64, 12544, 128)}},
      {"linear, relu at both ends", {{{3, 5}}, fixed({4, 5}), fixed({4})}, linear_of({relu, relu})},
      {"linear, many filters", {{{3, 2}}, fixed({19, 2}), fixed({19})}, linear_of({relu, relu})},
      {"linear, many filters, no bias", {{{2, 3}}, fixed({17, 3})}, linear_of({})},
      {"linear, one by one", {{{1, 1}}, fixed({1, 1}), fixed({1})}, linear_of({})},
  };
}

std::vector<Op> conv2d_rows() {
  const auto inputs = [](const Shape& x, const Shape& w) {
    return std::vector<Input>{{x}, fixed(w), fixed({w[0]})};
  };
  return {
      {"conv2d",
       inputs({2, 4, 5, 3}, {2, 3, 3, 3}),
       convolved({.padding = 1}),
       {conv2d_size(64, 32, 18, 14)}},  // predicts offsets
      {"conv2d, no bias", {{{1, 4, 4, 2}}, fixed({3, 2, 2, 2})}, convolved({})},
      {"conv2d, relu",
       inputs({2, 4, 4, 2}, {3, 3, 3, 2}),
       convolved({.padding = 1, .activation = Activation::relu}),
       {conv2d_size(64, 32, 64, 14), conv2d_size(64, 64, 128, 7), conv2d_size(64, 128, 256, 7),
        conv2d_size(8, 256, 256, 56), conv2d_size(64, 3, 32, 32), conv2d_size(257, 3, 1, 14)}},
      {"conv2d, eight channels", inputs({1, 4, 5, 8}, {8, 3, 3, 8}), convolved({.padding = 1})},
      {"conv2d, one channel",
       inputs({3, 5, 4, 1}, {2, 3, 3, 1}),
       convolved({.padding = 1}),
       {conv2d_size(64, 1, 32, 28), conv2d_size(64, 1, 18, 28)}},
      {"conv2d, one channel, a constant image",
       {fixed({2, 3, 3, 1}), fixed({2}, Values::positive)},
       convolved_constant({3, 5, 4, 1}, {.padding = 1, .activation = Activation::relu})},
      {"conv2d, one channel, five by five, a constant image",
       {fixed({2, 5, 5, 1}), fixed({2})},
       convolved_constant({1, 4, 5, 1}, {.padding = 2})},
      {"conv2d, one channel, no bias, a constant image",
       {fixed({2, 3, 3, 1})},
       convolved_constant({1, 4, 3, 1}, {.padding = 1})},
      {"conv2d, one channel, pooled, a constant image",
       {fixed({3, 3, 3, 1}), fixed({3}, Values::positive)},
       convolved_constant(
           {2, 5, 4, 1},
           {.padding = 1, .activation = Activation::relu, .pooling = Pooling::max_2x2})},
      {"conv2d, relu, pooled",
       inputs({2, 5, 4, 3}, {2, 3, 3, 3}),
       convolved({.padding = 1, .activation = Activation::relu, .pooling = Pooling::max_2x2}),
       {conv2d_size(64, 1, 32, 28), conv2d_size(64, 32, 64, 14)}},
      {"conv2d, one channel, pooled", inputs({2, 4, 5, 1}, {3, 3, 3, 1}),
       convolved({.padding = 1, .pooling = Pooling::max_2x2})},
      {"conv2d, one channel, pooled, by axis", inputs({2, 5, 6, 1}, {3, 2, 3, 1}),
       convolved({.padding = {0, 1}, .pooling = Pooling::max_2x2})},
      {"conv2d, dilated",
       inputs({1, 7, 6, 2}, {2, 3, 3, 2}),
       convolved({.padding = 2, .dilation = 2}),
       {conv2d_size(64, 32, 64, 14)}},
      {"conv2d, dilated by ten",
       inputs({1, 3, 12, 1}, {1, 3, 3, 1}),
       convolved({.padding = 10, .dilation = 10}),
       {conv2d_size(64, 32, 64, 14)}},
      {"conv2d, dilated over the border", inputs({1, 4, 4, 1}, {2, 3, 3, 1}),
       convolved({.padding = 5, .dilation = 5})},
      {"conv2d, by axis", inputs({1, 7, 8, 2}, {3, 2, 3, 2}),
       convolved({.stride = {2, 1}, .padding = {0, 2}, .dilation = {3, 2}})},
      {"conv2d, groups", inputs({2, 4, 4, 6}, {4, 3, 3, 3}),
       convolved({.stride = 2, .padding = 1, .groups = 2})},
      {"conv2d, depthwise", inputs({1, 4, 3, 3}, {6, 3, 3, 1}),
       convolved({.padding = 1, .groups = 3})},
      {"conv2d, pointwise", inputs({5, 2, 3, 5}, {3, 1, 1, 5}), convolved({})},
      {"conv2d, prime batch", inputs({7, 3, 3, 1}, {1, 2, 2, 1}), convolved({})},
  };
}

std::vector<Op> deform_conv2d_rows() {
  const auto inputs = [](const Shape& x, const Shape& offset, const Shape& w) {
    return std::vector<Input>{{x}, {offset, Values::between_pixels}, fixed(w), fixed({w[0]})};
  };
  const auto masked = [&](const Shape& x, const Shape& offset, const Shape& w) {
    std::vector<Input> all = inputs(x, offset, w);
    const Shape mask{offset[0], offset[1], offset[2], offset[3] / 2};
    all.push_back({mask});
    return all;
  };
  return {
      {"deform_conv2d",
       inputs({2, 3, 4, 2}, {2, 3, 4, 18}, {2, 3, 3, 2}),
       deformed({.padding = 1}),
       {deform_conv2d_size(32, 32, 64, 14), deform_conv2d_size(64, 32, 64, 14),
        deform_conv2d_size(256, 32, 64, 14), deform_conv2d_size(64, 1, 32, 28),
        deform_conv2d_size(8, 256, 256, 56), deform_conv2d_size(257, 3, 1, 14)}},
      {"deform_conv2d, eight channels", inputs({1, 3, 3, 8}, {1, 3, 3, 18}, {5, 3, 3, 8}),
       deformed({.padding = 1})},
      {"deform_conv2d, mask", masked({1, 4, 3, 2}, {1, 4, 3, 18}, {3, 3, 3, 2}),
       deformed({.padding = 1}, Mask::present)},
      {"deform_conv2d, relu", inputs({1, 3, 3, 3}, {1, 2, 2, 8}, {4, 2, 2, 3}),
       deformed({.activation = Activation::relu})},
      {"deform_conv2d, relu, pooled", inputs({2, 4, 3, 3}, {2, 4, 3, 18}, {3, 3, 3, 3}),
       deformed({.padding = 1, .activation = Activation::relu, .pooling = Pooling::max_2x2})},
      {"deform_conv2d, pooled, odd size", inputs({1, 5, 3, 2}, {1, 5, 3, 18}, {2, 3, 3, 2}),
       deformed({.padding = 1, .pooling = Pooling::max_2x2})},
      {"deform_conv2d, one channel", inputs({3, 3, 3, 1}, {3, 3, 3, 18}, {2, 3, 3, 1}),
       deformed({.padding = 1})},
      {"deform_conv2d, by axis", masked({1, 7, 6, 2}, {1, 2, 4, 12}, {2, 2, 3, 2}),
       deformed({.stride = {3, 2}, .padding = {0, 2}, .dilation = {3, 1}}, Mask::present)},
      {"deform_conv2d, dilated", inputs({1, 5, 5, 2}, {1, 5, 5, 18}, {1, 3, 3, 2}),
       deformed({.padding = 2, .dilation = 2})},
      {"deform_conv2d, groups", inputs({1, 3, 3, 4}, {1, 3, 3, 18}, {4, 3, 3, 2}),
       deformed({.padding = 1, .groups = 2})},
      {"deform_conv2d, offset groups", masked({2, 3, 2, 6}, {2, 3, 2, 24}, {2, 2, 2, 3}),
       deformed({.padding = {1, 1}, .dilation = {2, 2}, .groups = 2, .offset_groups = 3},
                Mask::present)},
      {"deform_conv2d, pointwise", inputs({5, 2, 3, 5}, {5, 2, 3, 2}, {3, 1, 1, 5}), deformed({})},
      {"deform_conv2d, more filters than a tile",
       inputs({1, 2, 1, 2}, {1, 2, 1, 2}, {130, 1, 1, 2}), deformed({})},
      {"deform_conv2d, groups of as many filters as a tile has",
       inputs({1, 2, 1, 2}, {1, 2, 1, 2}, {128, 1, 1, 1}), deformed({.groups = 2})},
      {"deform_conv2d, prime batch", inputs({7, 2, 2, 3}, {7, 2, 2, 8}, {1, 2, 2, 3}),
       deformed({.padding = {1, 1}, .dilation = {2, 2}})},
  };
}

}  // namespace

const std::vector<Op>& op_table() {
  static const std::vector<Op> table = [] {
    std::vector<Op> all;
    for (const std::vector<Op>& rows : {elementwise_rows(), pooling_rows(), batch_norm_rows(),
                                        linear_rows(), conv2d_rows(), deform_conv2d_rows()}) {
      all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
  }();
  return table;
}

Tensor draw(const Shape& shape, Values rule, RandomStream stream, DType dtype) {
  const std::vector<std::int32_t> order =
      rule == Values::distinct ? permutation(stream, shape.size()) : std::vector<std::int32_t>();
  std::vector<float> drawn(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const float u = stream.uniform(2 * i), sign = stream.word(2 * i + 1) % 2 == 0 ? 1.0f : -1.0f;
    const auto whole = static_cast<float>(stream.word(2 * i + 1) % 4) - 2.0f;
    switch (rule) {
      case Values::uniform:
        drawn[i] = 2.0f * u - 1.0f;
        break;
      case Values::positive:
        drawn[i] = 0.5f + u;
        break;
      case Values::nonzero:
        drawn[i] = sign * (0.1f + 0.9f * u);
        break;
      case Values::distinct:
        drawn[i] = (static_cast<float>(order[i]) - 0.5f * static_cast<float>(shape.size())) / 64.0f;
        break;
      case Values::between_pixels:
        drawn[i] = whole + 0.1f + 0.8f * u;
        break;
    }
  }
  return Tensor::from(shape, drawn).to(dtype);
}

std::vector<Tensor> draw_inputs(const Op& op, DType dtype, std::int64_t times) {
  std::vector<Tensor> inputs;
  for (const Input& input : op.inputs) {
    std::vector<std::int64_t> extents(input.shape.extents().begin(), input.shape.extents().end());
    if (input.first_axis == FirstAxis::batch) extents.front() *= times;
    const RandomStream stream{kStream.seed, kStream.id + 1 + inputs.size()};
    inputs.push_back(draw(Shape(extents), input.values, stream, dtype));
  }
  return inputs;
}

}  // namespace drape::tests
