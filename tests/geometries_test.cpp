// Convolutions of random geometry, and image ops at every batch size up to 130 that is worth
// trying. DRAPE_GEOMETRIES sets how many geometries each convolution is tried with.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>

#include "layers/avg_pool2d.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "layers/dropout.h"
#include "layers/max_pool2d.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/op_table.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

using Inputs = std::span<const Tensor>;

std::uint64_t geometry_count() {
  const char* count = std::getenv("DRAPE_GEOMETRIES");
  if (count != nullptr) return std::strtoull(count, nullptr, 10);
  return kSanitized ? 100 : 1000;
}

// Whole numbers from one stream.
class Dice {
 public:
  explicit Dice(RandomStream stream) : stream_(stream) {}

  // One of low ... high.
  std::int64_t roll(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(stream_.word(next_++)) % (high - low + 1);
  }
  Size2 roll_size(std::int64_t low, std::int64_t high) {
    const std::int64_t y = roll(low, high);
    return {y, roll(low, high)};
  }

 private:
  RandomStream stream_;
  std::uint64_t next_ = 0;
};

struct Geometry {
  std::int64_t N, C, K, P, Q, groups, offset_groups;
  Size2 image, window, stride, padding, dilation;
};

std::string text(const Geometry& g) {
  return fmt::format(
      "N {} C {} K {} image {}x{} window {}x{} stride {}x{} padding {}x{} dilation {}x{} groups {} "
      "offset groups {}",
      g.N, g.C, g.K, g.image.y, g.image.x, g.window.y, g.window.x, g.stride.y, g.stride.x,
      g.padding.y, g.padding.x, g.dilation.y, g.dilation.x, g.groups, g.offset_groups);
}

// One to eight more pixels along an axis than the dilated window, less the padding, needs.
std::int64_t roll_length(Dice& dice, std::int64_t window, std::int64_t padding,
                         std::int64_t dilation) {
  const std::int64_t least = dilation * (window - 1) + 1 - 2 * padding;
  return std::max<std::int64_t>(1, least) + dice.roll(0, 7);
}

Geometry roll_geometry(std::uint64_t index) {
  constexpr std::array<std::int64_t, 7> kBatches{1, 1, 2, 3, 5, 7, 13};
  Dice dice({.seed = 424242, .id = index});
  Geometry g{};
  g.N = kBatches[static_cast<std::size_t>(dice.roll(0, 6))];
  g.groups = dice.roll(1, 4) == 1 ? dice.roll(2, 3) : 1;
  g.offset_groups = dice.roll(1, 3) == 1 ? dice.roll(2, 3) : 1;
  g.C = g.groups * g.offset_groups * dice.roll(1, 5);
  g.K = g.groups * dice.roll(1, 6);
  g.window = dice.roll_size(1, 4);
  g.stride = dice.roll_size(1, 3);
  g.padding = dice.roll_size(0, 3);
  g.dilation = dice.roll_size(1, 3);
  g.image = {roll_length(dice, g.window.y, g.padding.y, g.dilation.y),
             roll_length(dice, g.window.x, g.padding.x, g.dilation.x)};
  g.P = output_size("test", g.image.y, g.window.y, g.stride.y, g.padding.y, g.dilation.y);
  g.Q = output_size("test", g.image.x, g.window.x, g.stride.x, g.padding.x, g.dilation.x);
  return g;
}

Op conv2d_of(const Geometry& g) {
  const Conv2dOptions options{
      .stride = g.stride, .padding = g.padding, .dilation = g.dilation, .groups = g.groups};
  return {text(g),
          {{{g.N, g.image.y, g.image.x, g.C}},
           {{g.K, g.window.y, g.window.x, g.C / g.groups}},
           {{g.K}}},
          [=](Inputs in) { return conv2d(in[0], in[1], in[2], options); }};
}

Op deform_conv2d_of(const Geometry& g) {
  const DeformConv2dOptions options{.stride = g.stride,
                                    .padding = g.padding,
                                    .dilation = g.dilation,
                                    .groups = g.groups,
                                    .offset_groups = g.offset_groups};
  const std::int64_t points = g.offset_groups * g.window.y * g.window.x;
  return {text(g),
          {{{g.N, g.image.y, g.image.x, g.C}},
           {{g.N, g.P, g.Q, 2 * points}, Values::between_pixels},
           {{g.N, g.P, g.Q, points}},
           {{g.K, g.window.y, g.window.x, g.C / g.groups}},
           {{g.K}}},
          [=](Inputs in) { return deform_conv2d(in[0], in[1], in[2], in[3], in[4], options); }};
}

// The gradient in f64 by finite differences, and f32 beside f64, relative to the largest element.
// Sums here have up to 500 terms, a few of which cancel.
std::string error_of(const Op& op) {
  constexpr double kTolerance = 2e-5;
  std::string errors = directional_error(op.function, draw_inputs(op, DType::f64), 3);
  std::array<Differentiated, 2> runs;
  for (const DType dtype : {DType::f64, DType::f32}) {
    const std::vector<Tensor> inputs = draw_inputs(op, dtype);
    const Tensor dy = noise(op.function(inputs).shape(), {.seed = 4, .id = 0}, dtype);
    runs[dtype == DType::f32] = differentiate(op.function, inputs, dy);
  }
  const auto compare = [&](const Tensor& exact, const Tensor& rounded) {
    const double worst = difference(exact, rounded);
    if (worst > kTolerance * (largest(exact) + 0.1))
      errors += fmt::format("; f32 off by {}", worst);
  };
  compare(runs[0].y, runs[1].y);
  for (std::size_t i = 0; i < runs[0].grads.size(); ++i) {
    compare(runs[0].grads[i], runs[1].grads[i]);
  }
  return errors;
}

// Batch sizes around powers of two, and primes.
constexpr std::array<std::int64_t, 20> kBatchSizes{1,  2,  3,  5,  7,  11, 13,  16,  17,  31,
                                                   32, 33, 61, 64, 67, 97, 101, 127, 128, 130};

}  // namespace

TEST_CASE("conv2d is right for random geometries", "[geometries]") {
  for (std::uint64_t i = 0; i < geometry_count(); ++i) {
    const Op op = conv2d_of(roll_geometry(i));
    INFO(op.name);
    CHECK(error_of(op) == "");
  }
}

TEST_CASE("deform_conv2d is right for random geometries", "[geometries]") {
  for (std::uint64_t i = 0; i < geometry_count(); ++i) {
    const Op op = deform_conv2d_of(roll_geometry(i));
    INFO(op.name);
    CHECK(error_of(op) == "");
  }
}

TEST_CASE("pooling, batch norm and dropout are right for any batch size", "[geometries]") {
  const std::vector<Op> ops{
      {"max_pool2d",
       {{{1, 5, 4, 3}, Values::distinct}},
       [](Inputs in) { return max_pool2d(in[0]); }},
      {"avg_pool2d", {{{1, 5, 4, 3}}}, [](Inputs in) { return avg_pool2d(in[0]); }},
      {"dropout",
       {{{1, 5, 3}}},
       [](Inputs in) {
         return dropout(in[0], 0.5, {9, 9});
       }},
      {"batch_norm",
       {{{1, 2, 3, 5}}, {{5}, Values::positive, FirstAxis::fixed}, {{5}, {}, FirstAxis::fixed}},
       [](Inputs in) {
         return batch_norm(
             in[0],
             {in[1], in[2], Tensor::zeros({5}, in[0].dtype()), Tensor::zeros({5}, in[0].dtype())},
             Mode::train, {.activation = Activation::relu, .dropout = 0.2});
       }}};
  for (const std::int64_t batch : kBatchSizes) {
    for (Op op : ops) {
      for (Input& input : op.inputs) {
        if (input.first_axis == FirstAxis::fixed) continue;
        std::vector<std::int64_t> extents(input.shape.extents().begin(),
                                          input.shape.extents().end());
        extents.front() = batch;
        input.shape = Shape(extents);
      }
      INFO(op.name << ", batch of " << batch);
      CHECK(error_of(op) == "");
    }
  }
}

}  // namespace drape::tests
