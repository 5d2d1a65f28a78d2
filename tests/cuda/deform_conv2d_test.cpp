// Deformable convolution on the device where the op table is too small: images of several bands,
// offset groups of several slices of channels, several tiles of filters, offsets from anywhere.
#include <algorithm>
#include <limits>

#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/devices.h"
#include "tests/op_table.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

using Inputs = std::span<const Tensor>;

Op deformed(const char* name, const Shape& x, const Shape& w, const DeformConv2dOptions& options) {
  const std::int64_t points = options.offset_groups * w[1] * w[2];
  const std::int64_t P =
      output_size("test", x[1], w[1], options.stride.y, options.padding.y, options.dilation.y);
  const std::int64_t Q =
      output_size("test", x[2], w[2], options.stride.x, options.padding.x, options.dilation.x);
  return {name,
          {{x},
           {{x[0], P, Q, 2 * points}, Values::between_pixels},
           {{x[0], P, Q, points}},
           {w, {}, FirstAxis::fixed},
           {{w[0]}, {}, FirstAxis::fixed}},
          [=](Inputs in) { return deform_conv2d(in[0], in[1], in[2], in[3], in[4], options); }};
}

const std::vector<Op>& large_rows() {
  static const std::vector<Op> rows{
      deformed("two bands in f64", {2, 21, 22, 4}, {4, 3, 3, 4},
               {.padding = 1, .offset_groups = 2}),
      deformed("bands, stride 2", {1, 38, 25, 5}, {3, 2, 3, 5}, {.stride = 2, .padding = {0, 1}}),
      deformed("two slices of channels", {3, 5, 7, 40}, {5, 3, 3, 40}, {.padding = 1}),
      deformed("slices and bands", {1, 28, 29, 36}, {3, 1, 2, 36}, {.padding = {0, 1}}),
      deformed("two tiles of filters", {1, 9, 8, 8}, {70, 2, 2, 8}, {}),
      deformed("whole tiles, two ranges of pixels", {1, 9, 10, 32}, {64, 1, 2, 32}, {}),
      deformed("slices cut by groups", {2, 4, 5, 132}, {6, 2, 1, 44},
               {.groups = 3, .offset_groups = 2}),
      deformed("one offset group cut by groups", {1, 3, 4, 72}, {2, 2, 1, 36},
               {.groups = 2, .offset_groups = 3}),
      deformed("depthwise", {2, 4, 4, 6}, {12, 3, 3, 1}, {.padding = 1, .groups = 6}),
  };
  return rows;
}

Differentiated run(const Op& op, Device device, DType dtype, double offset_scale = 1.0) {
  std::vector<Tensor> inputs = draw_inputs(op, dtype);
  if (offset_scale != 1.0) {
    std::vector<double> offset = values(inputs[1]);
    for (double& value : offset) value *= offset_scale;
    inputs[1] = Tensor::from(inputs[1].shape(), offset).to(dtype);
  }
  const Function function =
      device == Device::cpu ? op.function : on_device(Device::cuda, op.function);
  const Tensor dy = noise(op.function(inputs).shape(), {.seed = 5, .id = 0}, dtype);
  return differentiate(function, inputs, dy);
}

void check_parity(const Differentiated& a, const Differentiated& b, double tolerance) {
  CHECK(difference(a.y, b.y) <= tolerance * largest(a.y));
  for (std::size_t i = 0; i < a.grads.size(); ++i) {
    CAPTURE(i);
    CHECK(difference(a.grads[i], b.grads[i]) <= tolerance * largest(a.grads[i]));
  }
}

}  // namespace

TEST_CASE("deform_conv2d on CUDA agrees with the CPU for large shapes", "[cuda][large]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const Op& op : large_rows()) {
    INFO(op.name);
    const Differentiated exact = run(op, Device::cpu, DType::f64);
    check_parity(exact, run(op, Device::cuda, DType::f64), 1e-12);
    check_parity(exact, run(op, Device::cuda, DType::f32), 1e-5);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    CAPTURE(i);
    const Op& op = large_rows()[i];
    constexpr double kFar = 30.0;  // times as far as usual
    check_parity(run(op, Device::cpu, DType::f64, kFar), run(op, Device::cuda, DType::f64, kFar),
                 1e-12);
  }
}

TEST_CASE("deform_conv2d in bf16 on CUDA is off by its rounding for large shapes", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Op& op = large_rows()[3];
  const std::vector<Tensor> inputs = draw_inputs(op, DType::bf16);
  std::vector<Tensor> same;
  for (const Tensor& input : inputs) same.push_back(input.to(DType::f64));
  const Tensor dy = noise(op.function(same).shape(), {.seed = 5, .id = 0}, DType::bf16);
  check_parity(differentiate(op.function, same, dy.to(DType::f64)),
               differentiate(on_device(Device::cuda, op.function), inputs, dy), 0x2p-8);
}

TEST_CASE("deform_conv2d on CUDA without gradients of x or of the offset", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Op& op = large_rows().front();
  const Differentiated exact = run(op, Device::cpu, DType::f64);
  using Numbers = std::vector<std::size_t>;
  for (const Numbers& tracked : {Numbers{1, 2, 3, 4}, {0, 2, 3, 4}, {0, 1, 3, 4}, {1}, {2}}) {
    CAPTURE(tracked);
    std::vector<Tensor> inputs = draw_inputs(op, DType::f64);
    for (Tensor& input : inputs) input = input.to(Device::cuda);
    for (const std::size_t i : tracked) inputs[i].track();
    const Tensor y = op.function(inputs);
    backward(y, noise(y.shape(), {.seed = 5, .id = 0}).to(Device::cuda));
    for (const std::size_t i : tracked) {
      CHECK(difference(exact.grads[i], inputs[i].grad().to(Device::cpu)) <=
            1e-12 * largest(exact.grads[i]));
    }
  }
}

TEST_CASE("deform_conv2d on CUDA of eight channels, x without a gradient", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Op& op = large_rows()[4];
  for (const auto& [dtype, tolerance] : {std::pair(DType::f32, 1e-5), {DType::bf16, 0x2p-8}}) {
    CAPTURE(name(dtype));
    const std::vector<Tensor> inputs = draw_inputs(op, dtype);
    std::vector<Tensor> same, there;
    for (const Tensor& input : inputs) {
      same.push_back(input.to(DType::f64));
      there.push_back(input.to(Device::cuda));
    }
    const Tensor dy = noise(op.function(same).shape(), {.seed = 5, .id = 0}, dtype);
    const Differentiated exact = differentiate(op.function, same, dy.to(DType::f64));
    for (std::size_t i = 1; i < there.size(); ++i) there[i].track();
    backward(op.function(there), dy.to(Device::cuda));
    for (std::size_t i = 1; i < there.size(); ++i) {
      CAPTURE(i);
      CHECK(difference(exact.grads[i], there[i].grad().to(Device::cpu)) <=
            tolerance * largest(exact.grads[i]));
    }
  }
}

TEST_CASE("deform_conv2d on CUDA: a batch is what its images are, bit for bit", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Op batch = deformed("five", {5, 7, 6, 4}, {3, 3, 3, 4}, {.padding = 1});
  const Op image = deformed("one", {1, 7, 6, 4}, {3, 3, 3, 4}, {.padding = 1});
  const std::vector<Tensor> inputs = draw_inputs(batch, DType::f32);
  const std::vector<float> y = on_device(Device::cuda, batch.function)(inputs).to_vector<float>();
  const auto part = [](const Tensor& all, std::int64_t n, std::int64_t images) {
    const std::vector<float> elements = all.to_vector<float>();
    std::vector<std::int64_t> extents(all.shape().extents().begin(), all.shape().extents().end());
    extents.front() = 1;
    const Shape shape(extents);
    CHECK(shape.size() * images == all.size());
    return Tensor::from(
        shape, std::span<const float>(elements).subspan(static_cast<std::size_t>(n * shape.size()),
                                                        static_cast<std::size_t>(shape.size())));
  };
  for (std::int64_t n = 0; n < 5; ++n) {
    const std::vector<Tensor> one{part(inputs[0], n, 5), part(inputs[1], n, 5),
                                  part(inputs[2], n, 5), inputs[3], inputs[4]};
    const std::vector<float> alone =
        on_device(Device::cuda, image.function)(one).to_vector<float>();
    const auto size = static_cast<std::ptrdiff_t>(alone.size());
    CHECK(std::equal(alone.begin(), alone.end(), y.begin() + n * size));
  }
}

TEST_CASE("deform_conv2d on CUDA: NaN and huge offsets stay where they are", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Op op = deformed("offsets", {1, 6, 6, 4}, {2, 1, 1, 4}, {});
  std::vector<Tensor> inputs = draw_inputs(op, DType::f32);
  std::vector<float> offset = inputs[1].to_vector<float>();
  offset[0] = std::numeric_limits<float>::quiet_NaN();
  offset[2] = kInfinity, offset[5] = -kInfinity, offset[6] = 3e38f, offset[9] = -2147483648.0f;
  inputs[1] = Tensor::from(inputs[1].shape(), offset);
  const Tensor dy = noise({1, 6, 6, 2}, {.seed = 5, .id = 0}, DType::f32);
  const Differentiated cpu = differentiate(op.function, inputs, dy);
  const Differentiated cuda = differentiate(on_device(Device::cuda, op.function), inputs, dy);
  CHECK(std::isnan(values(cuda.y)[0]));
  CHECK_FALSE(std::isnan(values(cuda.y)[2]));
  CHECK(difference(cpu.y, cuda.y) < 1e-5);
  CHECK(difference(cpu.grads[0], cuda.grads[0]) < 1e-5);
}

TEST_CASE("deform_conv2d on CUDA with zero offsets is conv2d", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Op op = deformed("zero", {2, 9, 10, 34}, {6, 3, 3, 17}, {.padding = 1, .groups = 2});
  const std::vector<Tensor> inputs = draw_inputs(op, DType::f64);
  const Tensor zero = Tensor::zeros(inputs[1].shape(), DType::f64, Device::cuda);
  const Tensor x = inputs[0].to(Device::cuda), w = inputs[3].to(Device::cuda);
  const Tensor y = deform_conv2d(x, zero, {}, w, {}, {.padding = 1, .groups = 2});
  const Tensor dense = conv2d(inputs[0], inputs[3], {}, {.padding = 1, .groups = 2});
  CHECK(difference(dense, y.to(Device::cpu)) < 1e-12);
}

// TF32 has ten bits of fraction: 2^-12 is a quarter of its last one, to be dropped, 3 * 2^-12 three
// quarters, to be rounded up.
TEST_CASE("deform_conv2d on CUDA in TF32 rounds its factors to the nearest", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  constexpr float kQuarter = 1.0f / 4096;
  const auto product = [](float a, float b) {
    const auto first = [](float value) {
      std::vector<float> values(8);
      values[0] = value;
      return Tensor::from({1, 1, 1, 8}, values).to(Device::cuda);
    };
    const Tensor offset = Tensor::zeros({1, 1, 1, 2}, DType::f32, Device::cuda);
    return deform_conv2d(first(a), offset, {}, first(b), {}, {}).to(Device::cpu).item();
  };
  if constexpr (kCudaBuilt) set_cuda_math(Math::tf32);
  CHECK(product(1.0f + 3 * kQuarter, 1.0f + kQuarter) == 1.0 + 4 * kQuarter);
  CHECK(product(1.0f + kQuarter, -1.0f - 3 * kQuarter) == -1.0 - 4 * kQuarter);
  if constexpr (kCudaBuilt) set_cuda_math(Math::f32);
}

TEST_CASE("deform_conv2d on CUDA refuses more pixels, and larger ones, than it counts", "[cuda]") {
  const auto forward = [](const Shape& x, const Shape& w, std::int64_t groups = 1) {
    const kernels::DeformConv2dGeometry geometry{conv2d_geometry("test", x, w, {.groups = groups}),
                                                 1};
    kernels::deform_conv2d_forward<float>(Cuda{}, geometry, {}, {});
  };
  CHECK_THROWS_WITH(
      forward({1 << 20, 64, 64, 1}, {1, 1, 1, 1}),
      "deform_conv2d: expected images of fewer than 2^32 pixels in all, got 1048576 of 64x64");
  CHECK_THROWS_WITH(forward({1, 1, 2, 1 << 30}, {1, 1, 1, 1 << 30}),
                    "deform_conv2d: expected pixels of fewer than 2^32 bytes, got one of "
                    "1073741824 channels");
  CHECK_THROWS_WITH(forward({1, 1, 1, 1 << 16}, {1 << 16, 1, 1, 1}, 1 << 16),
                    "deform_conv2d: expected at most 65535 groups and offset groups together, got "
                    "65536 and 1");
}

}  // namespace drape::tests
