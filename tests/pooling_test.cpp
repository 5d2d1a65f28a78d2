// Max and average pooling: PyTorch's numbers, ties, NaN, and what lies outside every window.
#include <cmath>
#include <limits>

#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/max_pool2d.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/goldens.h"
#include "tests/op_table.h"

namespace drape::tests {
namespace {

// y and dx of pooling an image of one channel, for dy of ones.
struct Pooled {
  std::vector<float> y, dx;
};
Pooled max_pooled(std::int64_t height, std::int64_t width, const std::vector<float>& x,
                  const Pool2dOptions& options = {}) {
  Tensor image = Tensor::from({1, height, width, 1}, x);
  image.track();
  const Tensor y = max_pool2d(image, options);
  backward(y, Tensor::full(y.shape(), 1.0));
  return {y.to_vector<float>(), image.grad().to_vector<float>()};
}

}  // namespace

TEST_CASE("pooling equals PyTorch's", "[pooling]") {
  int compared = 0;
  for (const auto& golden : golden_cases("pooling")) {
    // Ours always counts the padding.
    if (!golden.value("count_include_pad", true)) continue;
    INFO(golden.at("name"));
    const Pool2dOptions options{.window = golden_size(golden.at("kernel")),
                                .stride = golden_size(golden.at("stride")),
                                .padding = golden_size(golden.at("padding"))};
    const auto pool = golden.at("op") == "max" ? max_pool2d : avg_pool2d;
    const std::vector<Tensor> x{golden_tensor(golden.at("x"))};
    const Differentiated got =
        differentiate([&](std::span<const Tensor> in) { return pool(in[0], options); }, x,
                      golden_tensor(golden.at("dy")));
    CHECK(difference(got.y, golden_tensor(golden.at("y"))) < 1e-14);
    CHECK(difference(got.grads[0], golden_tensor(golden.at("dx"))) < 1e-14);
    ++compared;
  }
  CHECK(compared == 7);
}

TEST_CASE("max pooling gives the gradient of a tie to the first in scan order", "[pooling]") {
  CHECK(max_pooled(2, 2, {7, 7, 7, 7}).dx == std::vector<float>{1, 0, 0, 0});
  CHECK(max_pooled(2, 2, {1, 7, 7, 7}).dx == std::vector<float>{0, 1, 0, 0});
  CHECK(max_pooled(2, 2, {1, 2, 7, 7}).dx == std::vector<float>{0, 0, 1, 0});
  CHECK(max_pooled(1, 3, {2, 2, 2}, {.window = {1, 3}}).dx == std::vector<float>{1, 0, 0});
}

TEST_CASE("max pooling lets NaN win and handles infinities", "[pooling]") {
  for (const Size2 window : {Size2(2, 2), Size2(1, 4)}) {
    const std::int64_t height = window.y, width = window.x;
    for (std::size_t at = 0; at < 4; ++at) {
      std::vector<float> x{3, 1, kInfinity, 2};
      x[at] = kNaN;
      const Pooled pooled = max_pooled(height, width, x, {.window = window});
      CHECK(std::isnan(pooled.y[0]));
      CHECK(pooled.dx[at] == 1.0f);
    }
    const std::vector<float> lowest(4, -kInfinity);
    const Pooled pooled = max_pooled(height, width, lowest, {.window = window});
    CHECK(pooled.y[0] == -kInfinity);
    CHECK(pooled.dx == std::vector<float>{1, 0, 0, 0});
  }
}

TEST_CASE("padding never wins in max pooling", "[pooling]") {
  const Pooled pooled =
      max_pooled(2, 2, {-5, -6, -7, -8}, {.window = 3, .stride = 1, .padding = 1});
  CHECK(pooled.y == std::vector<float>{-5, -5, -5, -5});
  CHECK(pooled.dx == std::vector<float>{4, 0, 0, 0});
}

TEST_CASE("max pooling writes zeros where no window looks", "[pooling]") {
  CHECK(max_pooled(3, 3, {1, 2, 9, 3, 4, 9, 9, 9, 9}).dx ==
        std::vector<float>{0, 0, 0, 0, 1, 0, 0, 0, 0});
  CHECK(max_pooled(1, 5, {1, 9, 9, 2, 9}, {.window = 1, .stride = 3}).dx ==
        std::vector<float>{1, 0, 0, 1, 0});
}

TEST_CASE("max pooling finds the maximum in every cell of the largest window", "[pooling]") {
  for (std::size_t at = 0; at < 256; ++at) {
    std::vector<float> x(256, 0.0f), expected(256, 0.0f);
    x[at] = expected[at] = 1.0f;
    CHECK(max_pooled(16, 16, x, {.window = 16}).dx == expected);
  }
}

TEST_CASE("a pooled batch equals the pooled images", "[pooling]") {
  const Tensor x = noise({7, 5, 6, 3}, {1, 2}, DType::f32);
  const std::vector<float> all = x.to_vector<float>();
  for (const auto pool : {max_pool2d, avg_pool2d}) {
    const std::vector<float> y = pool(x, {}).to_vector<float>();
    std::vector<float> joined;
    for (std::ptrdiff_t n = 0; n < 7; ++n) {
      const std::vector<float> image(all.begin() + 90 * n, all.begin() + 90 * (n + 1));
      const std::vector<float> one = pool(Tensor::from({1, 5, 6, 3}, image), {}).to_vector<float>();
      joined.insert(joined.end(), one.begin(), one.end());
    }
    CHECK(y == joined);
  }
}

TEST_CASE("a convolution that pools gives the bits of one that is pooled", "[pooling][conv2d]") {
  const Conv2dOptions same{.padding = 1}, dilated{.padding = 2, .dilation = 2};
  struct Case {
    Shape x, w;
    Conv2dOptions options;
  };
  const std::vector<Case> cases{{{3, 6, 8, 1}, {32, 3, 3, 1}, same},
                                {{2, 7, 5, 1}, {18, 3, 3, 1}, {.stride = {1, 2}, .padding = 1}},
                                {{4, 14, 14, 8}, {24, 3, 3, 8}, same},  // Winograd's
                                {{5, 9, 15, 16}, {11, 3, 3, 16}, same},
                                {{4, 16, 16, 8}, {8, 3, 3, 8}, dilated},
                                {{2, 5, 7, 4}, {6, 3, 3, 2}, {.padding = 1, .groups = 2}}};
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Activation activation : {Activation::none, Activation::relu}) {
      for (auto [x_shape, w_shape, options] : cases) {
        CAPTURE(name(dtype), static_cast<int>(activation), x_shape.to_string());
        std::vector<Tensor> inputs{
            draw(x_shape, Values::uniform, {.seed = 5, .id = 1}, dtype),
            draw(w_shape, Values::uniform, {.seed = 5, .id = 2}, dtype),
            draw({w_shape[0]}, Values::uniform, {.seed = 5, .id = 3}, dtype)};
        options.activation = activation;
        const auto apart = [=](std::span<const Tensor> in) {
          return max_pool2d(conv2d(in[0], in[1], in[2], options), {.window = 2});
        };
        options.pooling = Pooling::max_2x2;
        const auto fused = [=](std::span<const Tensor> in) {
          return conv2d(in[0], in[1], in[2], options);
        };
        const Tensor dy = draw(apart(inputs).shape(), Values::uniform, {.seed = 5, .id = 4}, dtype);
        const Differentiated expected = differentiate(apart, inputs, dy),
                             got = differentiate(fused, inputs, dy);
        CHECK(same_bits(got.y, expected.y));
        for (std::size_t i = 0; i < inputs.size(); ++i)
          CHECK(same_bits(got.grads[i], expected.grads[i]));
      }
    }
  }
}

TEST_CASE("a convolution that pools lets NaN win", "[pooling][conv2d]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::int64_t filters : {1, 16}) {
    const Tensor x =
        Tensor::from<float>({1, 2, 4, 1}, std::vector<float>{1, nan, 3, 4, 5, 6, 7, -8});
    const Tensor w = Tensor::full({filters, 1, 1, 1}, -1.0);
    const auto y = conv2d(x, w, {}, {.activation = Activation::relu, .pooling = Pooling::max_2x2})
                       .to_vector<float>();
    CHECK(std::isnan(y[0]));
    CHECK(y[static_cast<std::size_t>(filters)] == 8.0f);
  }
}

TEST_CASE("pooling names what does not fit", "[pooling]") {
  const Tensor line = Tensor::zeros({1, 1, 4, 1}), w = Tensor::zeros({1, 1, 1, 1});
  CHECK_THROWS_WITH(conv2d(line, w, {}, {.pooling = Pooling::max_2x2}),
                    "conv2d: expected 2x2 outputs to pool or more, got 1x4");
  const Tensor x = Tensor::zeros({1, 4, 4, 1});
  CHECK_THROWS_WITH(max_pool2d(Tensor::zeros({4, 4})),
                    "max_pool2d: expected x [N,H,W,C], got [4,4]");
  CHECK_THROWS_WITH(avg_pool2d(Tensor::zeros({4})), "avg_pool2d: expected x [N,H,W,C], got [4]");
  CHECK_THROWS_WITH(max_pool2d(x, {.window = 5}),
                    ContainsSubstring("max_pool2d: expected a window that fits"));
  CHECK_THROWS_WITH(max_pool2d(x, {.padding = {0, 2}}),
                    "max_pool2d: expected a padding of at most half the window 2x2, got 0x2");
  CHECK_THROWS_WITH(max_pool2d(Tensor::zeros({1, 20, 20, 1}), {.window = {16, 17}}),
                    "max_pool2d: expected a window of at most 256 cells, got 16x17");
  CHECK_THROWS_WITH(max_pool2d(Tensor::zeros({1, 0, 4, 1}), {.padding = 1}),
                    "max_pool2d: expected images with pixels, got [1,0,4,1]");
  CHECK_THROWS_AS(avg_pool2d(x, {.window = 0}), Error);
  CHECK_THROWS_AS(avg_pool2d(x, {.stride = 0}), Error);
}

TEST_CASE("pooling modules tell their output's shape", "[pooling]") {
  Pass pass;
  const Tensor x = Tensor::zeros({2, 7, 9, 3});
  MaxPool2d largest_of({.window = 3, .stride = 2, .padding = 1});
  AvgPool2d mean_of({.window = {7, 9}});
  CHECK(largest_of.forward(x, pass).shape() == Shape{2, 4, 5, 3});
  CHECK(largest_of.output_shape(x.shape()) == Shape{2, 4, 5, 3});
  CHECK(mean_of.forward(x, pass).shape() == Shape{2, 1, 1, 3});
  CHECK(mean_of.output_shape(x.shape()) == Shape{2, 1, 1, 3});
}

}  // namespace drape::tests
