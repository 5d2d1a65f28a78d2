// Dense and deformable convolution against PyTorch, torchvision and ONNX, and what must hold
// between them.
#include <algorithm>
#include <cmath>

#include "kernels/conv2d_few_channels.h"
#include "kernels/conv2d_winograd.h"
#include "layers/deform_conv2d.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/goldens.h"
#include "tests/op_table.h"

namespace drape::tests {
namespace {

// A deformable convolution of N images of 7 x 6 with C channels, 3x3 filters, padding 1.
struct Deformable {
  Tensor x, offset, w, b;

  Deformable(std::int64_t N, std::int64_t C, DType dtype, Values offsets = Values::between_pixels)
      : x(draw({N, 7, 6, C}, Values::uniform, {.seed = 9, .id = 1}, dtype)),
        offset(draw({N, 7, 6, 18}, offsets, {.seed = 9, .id = 2}, dtype)),
        w(draw({5, 3, 3, C}, Values::uniform, {.seed = 9, .id = 3}, dtype)),
        b(draw({5}, Values::uniform, {.seed = 9, .id = 4}, dtype)) {}

  Tensor y() const { return deform_conv2d(x, offset, {}, w, b, {.padding = 1}); }
};

// Elements first ... of a tensor as a tensor of another shape.
Tensor slice(const Tensor& tensor, std::int64_t first, const Shape& shape) {
  const std::vector<float> all = tensor.to_vector<float>();
  return Tensor::from(shape,
                      std::vector<float>(all.begin() + first, all.begin() + first + shape.size()));
}

// Inputs by name, gradients by name, both in the order of the op's arguments; absent ones are left
// out.
struct Named {
  std::vector<Tensor> inputs;
  std::vector<std::string> gradients;
};
Named named(const nlohmann::json& golden,
            const std::vector<std::pair<std::string, std::string>>& names) {
  Named all;
  for (const auto& [input, gradient] : names) {
    if (!golden.contains(input)) continue;
    all.inputs.push_back(golden_tensor(golden.at(input)));
    all.gradients.push_back(gradient);
  }
  return all;
}

// Compares y and, where the golden has them, the gradients. Returns how many tensors were compared.
int compare(const nlohmann::json& golden, const Named& in, const Function& function,
            double tolerance) {
  if (!golden.contains("dy")) {
    CHECK(difference(function(in.inputs), golden_tensor(golden.at("y"))) < tolerance);
    return 1;
  }
  const Differentiated got = differentiate(function, in.inputs, golden_tensor(golden.at("dy")));
  CHECK(difference(got.y, golden_tensor(golden.at("y"))) < tolerance);
  for (std::size_t i = 0; i < in.inputs.size(); ++i) {
    INFO(in.gradients[i]);
    CHECK(difference(got.grads[i], golden_tensor(golden.at(in.gradients[i]))) < tolerance);
  }
  return 1 + static_cast<int>(in.inputs.size());
}

// Of 3x3 filters.
struct Convolution {
  std::int64_t N, H, W, C, K;
  Conv2dOptions options;

  Conv2dGeometry geometry() const {
    const auto outputs = [&](std::int64_t size, std::int64_t stride, std::int64_t padding,
                             std::int64_t dilation) {
      return output_size("test", size, 3, stride, padding, dilation);
    };
    const Conv2dOptions& o = options;
    return {.N = N,
            .H = H,
            .W = W,
            .C = C,
            .K = K,
            .R = 3,
            .S = 3,
            .P = outputs(H, o.stride.y, o.padding.y, o.dilation.y),
            .Q = outputs(W, o.stride.x, o.padding.x, o.dilation.x),
            .stride = o.stride,
            .padding = o.padding,
            .dilation = o.dilation,
            .groups = 1};
  }
};

// In f32 results and gradients are those of f64, rounded.
void check_rounding(const Convolution& c) {
  CAPTURE(c.N, c.H, c.W, c.C, c.K);
  const auto run = [&](DType dtype) {
    const std::vector<Tensor> inputs{
        draw({c.N, c.H, c.W, c.C}, Values::uniform, {.seed = 8, .id = 1}, dtype),
        draw({c.K, 3, 3, c.C}, Values::uniform, {.seed = 8, .id = 2}, dtype),
        draw({c.K}, Values::uniform, {.seed = 8, .id = 3}, dtype)};
    const Function function = [&](std::span<const Tensor> t) {
      return conv2d(t[0], t[1], t[2], c.options);
    };
    const Shape y = function(inputs).shape();
    return differentiate(function, inputs, draw(y, Values::uniform, {.seed = 8, .id = 4}, dtype));
  };
  const Differentiated exact = run(DType::f64), rounded = run(DType::f32);
  CHECK(difference(exact.y, rounded.y) < 2e-6 * largest(exact.y));
  for (std::size_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    CHECK(difference(exact.grads[i], rounded.grads[i]) < 2e-6 * largest(exact.grads[i]));
  }
}

}  // namespace

TEST_CASE("conv2d equals PyTorch's", "[conv2d]") {
  int compared = 0;
  for (const auto& golden : golden_cases("conv2d")) {
    INFO(golden.at("name"));
    const Conv2dOptions options{.stride = golden_size(golden.at("stride")),
                                .padding = golden_size(golden.at("padding")),
                                .dilation = golden_size(golden.at("dilation")),
                                .groups = golden.at("groups")};
    const Named in = named(golden, {{"x", "dx"}, {"w", "dw"}, {"b", "db"}});
    const auto function = [&](std::span<const Tensor> t) {
      return conv2d(t[0], t[1], t.size() > 2 ? t[2] : Tensor(), options);
    };
    compared += compare(golden, in, function, 1e-12);
  }
  CHECK(compared >= 7 * 3);
}

TEST_CASE("deform_conv2d equals torchvision's and ONNX's", "[deform_conv2d]") {
  int compared = 0;
  for (const auto& golden : golden_cases("deform_conv2d")) {
    INFO(golden.at("name"));
    const DeformConv2dOptions options{.stride = golden_size(golden.at("stride")),
                                      .padding = golden_size(golden.at("padding")),
                                      .dilation = golden_size(golden.at("dilation")),
                                      .groups = golden.at("groups"),
                                      .offset_groups = golden.at("offset_groups")};
    const Named in =
        named(golden,
              {{"x", "dx"}, {"offset", "d_offset"}, {"w", "dw"}, {"mask", "d_mask"}, {"b", "db"}});
    const bool masked = golden.contains("mask"), biased = golden.contains("b");
    const auto function = [&](std::span<const Tensor> t) {
      return deform_conv2d(t[0], t[1], masked ? t[3] : Tensor(), t[2], biased ? t.back() : Tensor(),
                           options);
    };
    compared += compare(golden, in, function, golden.at("tolerance"));
  }
  CHECK(compared >= 13 * 5 + 6);
}

TEST_CASE("conv2d by Winograd's algorithm is conv2d", "[conv2d]") {
  for (const Convolution& c : std::vector<Convolution>{
           {9, 8, 8, 8, 16, {.padding = 1}},
           {9, 7, 7, 16, 8, {.padding = 1, .activation = Activation::relu}},
           {16, 6, 9, 40, 8, {}},
           {9, 8, 7, 8, 8, {.padding = {0, 2}}},
           {9, 8, 9, 24, 18, {.padding = 1, .activation = Activation::relu}},  // filters left over
           {9, 14, 13, 8, 8, {.padding = 2, .dilation = 2, .activation = Activation::relu}},
           {3, 13, 16, 8, 24, {.padding = {2, 1}, .dilation = {3, 1}}},
           {260, 4, 4, 8, 8, {.padding = 1}},  // more than one block
           {1, 64, 66, 8, 8, {.padding = 1}},  // a block of one image
       }) {
    CHECK(kernels::winograd_pays(c.geometry()));
    check_rounding(c);
  }
}

TEST_CASE("conv2d of few channels is conv2d", "[conv2d]") {
  for (const Convolution& c : std::vector<Convolution>{
           {2, 19, 7, 3, 32, {.padding = 1, .activation = Activation::relu}},  // rows left over
           {3, 16, 5, 3, 1, {.padding = {0, 2}}},
           {2, 11, 9, 2, 20, {.stride = {2, 1}, .padding = {1, 0}}},
           {1, 12, 8, 4, 24, {.padding = {2, 1}, .dilation = {2, 1}}},
           {2, 10, 6, 3, 8, {.padding = 1, .pooling = Pooling::max_2x2}},
       }) {
    CHECK(kernels::has_few_channels(c.geometry()));
    check_rounding(c);
  }
}

TEST_CASE("with zero offsets and a mask of ones deform_conv2d is conv2d", "[deform_conv2d]") {
  for (const std::int64_t channels : {1, 3, 8}) {
    Deformable d(2, channels, DType::f64);
    const Tensor none = Tensor::zeros(d.offset.shape(), DType::f64);
    const Tensor ones = Tensor::full({2, 7, 6, 9}, 1.0, DType::f64);
    const Tensor dense = conv2d(d.x, d.w, d.b, {.padding = 1});
    CHECK(difference(deform_conv2d(d.x, none, ones, d.w, d.b, {.padding = 1}), dense) < 1e-12);
    CHECK(difference(deform_conv2d(d.x, none, {}, d.w, d.b, {.padding = 1}), dense) < 1e-12);
    CHECK(difference(d.y(), dense) > 0.1);  // the control: offsets that are not zero
  }
}

TEST_CASE("whole offsets shift the taps", "[deform_conv2d]") {
  // Every tap one row down and two columns to the left: the convolution of the image shifted by as
  // much.
  Deformable d(1, 3, DType::f64);
  std::vector<double> offset(static_cast<std::size_t>(d.offset.size()));
  for (std::size_t i = 0; i < offset.size(); i += 2) offset[i] = 1.0, offset[i + 1] = -2.0;
  const Tensor shifted_taps =
      deform_conv2d(d.x, Tensor::from(d.offset.shape(), offset), {}, d.w, d.b, {.padding = 1});
  const std::vector<double> x = d.x.to_vector<double>();
  std::vector<double> moved(x.size(), 0.0);
  for (std::size_t h = 0; h + 1 < 7; ++h)
    for (std::size_t w = 2; w < 6; ++w)
      for (std::size_t c = 0; c < 3; ++c)
        moved[(h * 6 + w) * 3 + c] = x[((h + 1) * 6 + w - 2) * 3 + c];
  const Tensor shifted_image = conv2d(Tensor::from(d.x.shape(), moved), d.w, d.b, {.padding = 1});
  // Away from the border: there the shifted taps still see pixels that left the shifted image.
  const std::vector<double> a = shifted_taps.to_vector<double>(),
                            b = shifted_image.to_vector<double>();
  for (std::size_t p = 1; p < 5; ++p)
    for (std::size_t q = 3; q < 5; ++q)
      for (std::size_t k = 0; k < 5; ++k)
        CHECK(std::abs(a[(p * 6 + q) * 5 + k] - b[(p * 6 + q) * 5 + k]) < 1e-12);
}

TEST_CASE("a batch of n gives the bits of n batches of one", "[deform_conv2d]") {
  for (const std::int64_t channels : {1, 5, 8}) {
    const Deformable d(3, channels, DType::f32);
    const std::vector<float> batch = d.y().to_vector<float>();
    for (std::int64_t n = 0; n < 3; ++n) {
      const Tensor x = slice(d.x, n * 42 * channels, {1, 7, 6, channels});
      const Tensor offset = slice(d.offset, n * 42 * 18, {1, 7, 6, 18});
      const std::vector<float> one =
          deform_conv2d(x, offset, {}, d.w, d.b, {.padding = 1}).to_vector<float>();
      CHECK(std::equal(one.begin(), one.end(), batch.begin() + n * 42 * 5));
    }
  }
}

TEST_CASE("deform_conv2d of an image in several tiles in f32 is that in f64, rounded",
          "[deform_conv2d]") {
  for (const Pooling pooling : {Pooling::none, Pooling::max_2x2}) {
    CAPTURE(static_cast<int>(pooling));
    const DeformConv2dOptions options{.padding = 1, .pooling = pooling};
    const auto run = [&](DType dtype) {
      const std::vector<Tensor> inputs{
          draw({2, 24, 21, 40}, Values::uniform, {.seed = 8, .id = 1}, dtype),
          draw({2, 24, 21, 18}, Values::between_pixels, {.seed = 8, .id = 2}, dtype),
          draw({2, 24, 21, 9}, Values::positive, {.seed = 8, .id = 3}, dtype),
          draw({6, 3, 3, 40}, Values::uniform, {.seed = 8, .id = 4}, dtype),
          draw({6}, Values::uniform, {.seed = 8, .id = 5}, dtype)};
      const Function function = [&](std::span<const Tensor> in) {
        return deform_conv2d(in[0], in[1], in[2], in[3], in[4], options);
      };
      const Shape y = function(inputs).shape();
      return differentiate(function, inputs, draw(y, Values::uniform, {.seed = 8, .id = 6}, dtype));
    };
    const Differentiated exact = run(DType::f64), rounded = run(DType::f32);
    // Sums of 360 terms in y, of 1,008 in dw.
    CHECK(difference(exact.y, rounded.y) < 2e-6 * largest(exact.y));
    for (std::size_t i = 0; i < exact.grads.size(); ++i) {
      CAPTURE(i);
      CHECK(difference(exact.grads[i], rounded.grads[i]) < 5e-6 * largest(exact.grads[i]));
    }
  }
}

TEST_CASE("a modulated layer starts as half a convolution, and learns offsets and mask",
          "[deform_conv2d]") {
  const DeformConv2dOptions options{.padding = 1, .groups = 2, .offset_groups = 2};
  DeformConv2d layer(4, 6, 3, options, Modulation::masked);
  Generator random(3, Purpose::initialization);
  layer.initialize(random);
  layer.to(DType::f64);
  const Tensor x = draw({2, 7, 6, 4}, Values::uniform, {.seed = 9, .id = 1}, DType::f64);
  std::vector<NamedTensor> state = layer.state();
  std::vector<std::string> names;
  for (const NamedTensor& entry : state) names.push_back(entry.name);
  CHECK(names == std::vector<std::string>{"offset.weight", "offset.bias", "mask.weight",
                                          "mask.bias", "weight", "bias"});
  Pass pass = Pass::train(random);
  const Tensor y = layer.forward(x, pass);
  Tensor half = state[4].tensor.clone();
  for (std::int64_t i = 0; i < half.size(); ++i) half.data<double>()[i] *= 0.5;
  CHECK(difference(y, conv2d(x, half, state[5].tensor.detach(), {.padding = 1, .groups = 2})) <
        1e-12);
  backward(y, draw(y.shape(), Values::uniform, {.seed = 9, .id = 2}, DType::f64));
  for (const NamedTensor& entry : state) CHECK(largest(entry.tensor.grad()) > 0.0);
  CHECK(layer.multiply_adds({1, 7, 6, 4}) == 42 * ((36 + 18) * 36 + 6 * 18 + 4 * 36));
}

TEST_CASE("offsets that are huge, infinite or NaN give no bad access", "[deform_conv2d]") {
  for (const std::int64_t channels : {1, 4}) {
    for (const float wild : {1e30f, -1e30f, kInfinity, -kInfinity, 3e9f, kNaN}) {
      CAPTURE(channels, wild);
      Deformable d(1, channels, DType::f32);
      d.offset.data<float>()[0] = wild;  // the first tap of the first pixel
      for (Tensor* leaf : {&d.x, &d.offset, &d.w, &d.b}) leaf->track();
      const Tensor y = d.y();
      const std::vector<float> values = y.to_vector<float>();
      for (std::size_t i = 0; i < values.size(); ++i)
        CHECK(std::isnan(values[i]) == (std::isnan(wild) && i < 5));
      backward(y, Tensor::full(y.shape(), 1.0));
      CHECK(d.x.grad().shape() == d.x.shape());
      if (!std::isnan(wild)) CHECK(d.offset.grad().to_vector<float>()[0] == 0.0f);  // outside: flat
    }
  }
}

TEST_CASE("what lies outside the image counts as zero, whatever is in it", "[deform_conv2d]") {
  for (const std::int64_t channels : {1, 4}) {
    Deformable d(1, channels, DType::f32);
    d.x.assign(Tensor::full(d.x.shape(), kInfinity));
    d.offset.assign(Tensor::full(d.offset.shape(), 100.0));
    CHECK(difference(deform_conv2d(d.x, d.offset, {}, d.w, {}, {.padding = 1}),
                     Tensor::zeros({1, 7, 6, 5})) == 0.0);
  }
}

TEST_CASE("convolutions name what does not fit", "[conv2d][deform_conv2d]") {
  const Tensor x = Tensor::zeros({2, 5, 5, 4}), w = Tensor::zeros({6, 3, 3, 4});
  CHECK_THROWS_WITH(
      conv2d(x, Tensor::zeros({6, 3, 3, 3}), {}, {}),
      "conv2d: expected input [N,H,W,3] that is not empty, for weight [6,3,3,3] and 1 groups, "
      "got [2,5,5,4]");
  CHECK_THROWS_WITH(conv2d(x, w, Tensor::zeros({5}), {}),
                    ContainsSubstring("expected bias [6], got [5]"));
  CHECK_THROWS_WITH(conv2d(x, w, {}, {.dilation = 3}),
                    ContainsSubstring("fits into the padded input"));
  CHECK_THROWS_WITH(conv2d(x, w, {}, {.stride = 0}), ContainsSubstring("stride"));
  CHECK_THROWS_WITH(conv2d(x, w, {}, {.groups = 3}), ContainsSubstring("groups"));
  CHECK_THROWS_WITH(deform_conv2d(x, Tensor::zeros({2, 3, 3, 17}), {}, w, {}, {}),
                    ContainsSubstring("expected offset [2,3,3,18], got [2,3,3,17]"));
  CHECK_THROWS_WITH(deform_conv2d(x, {}, {}, w, {}, {}), ContainsSubstring("expected an offset"));
  CHECK_THROWS_WITH(
      deform_conv2d(x, Tensor::zeros({2, 3, 3, 18}), Tensor::zeros({2, 3, 3, 8}), w, {}, {}),
      ContainsSubstring("expected mask [2,3,3,9], got [2,3,3,8]"));
  CHECK_THROWS_WITH(deform_conv2d(x, Tensor::zeros({2, 3, 3, 18}), {}, w, {}, {.offset_groups = 3}),
                    ContainsSubstring("offset groups"));
}

}  // namespace drape::tests
