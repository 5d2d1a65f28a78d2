// Every op on the device, a real or an emulated one, beside the CPU.
#include <algorithm>
#include <memory>

#include "core/placed.h"
#include "data/batches.h"
#include "layers/add.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm.h"
#include "layers/cast.h"
#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/losses.h"
#include "layers/max_pool2d.h"
#include "layers/relu.h"
#include "optim/adam.h"
#include "optim/sgd.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/devices.h"
#include "tests/op_table.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

Input all_of(const Shape& shape) {
  return {shape, {}, FirstAxis::fixed};
}

Op conv2d_row(const char* name, const Shape& x, const Shape& w, const Conv2dOptions& options) {
  return {name, {{x}, all_of(w), all_of({w[0]})}, [=](std::span<const Tensor> in) {
            return conv2d(in[0], in[1], in[2], options);
          }};
}
// Of an image that is not an input.
Op first_layer_row(const char* name, const Shape& x, const Shape& w, const Conv2dOptions& options) {
  return {name, {all_of(w), all_of({w[0]})}, [=](std::span<const Tensor> in) {
            const Tensor image = draw(x, Values::distinct, {.seed = 3, .id = 0}, in[0].dtype());
            return conv2d(image.to(in[0].device()), in[0], in[1], options);
          }};
}
Op deform_conv2d_row(const char* name, const Shape& x, const Shape& w) {
  const Shape offset{x[0], x[1], x[2], 2 * w[1] * w[2]};
  return {name,
          {{x}, {offset, Values::between_pixels}, all_of(w), all_of({w[0]})},
          [](std::span<const Tensor> in) {
            return deform_conv2d(in[0], in[1], {}, in[2], in[3], {.padding = 1});
          }};
}
Op pool2d_row(const char* name, Tensor (*pool)(const Tensor&, const Pool2dOptions&), const Shape& x,
              const Pool2dOptions& options) {
  return {name, {{x, Values::distinct}}, [=](std::span<const Tensor> in) {
            return pool(in[0], options);
          }};
}

// What the op table has no sizes for: channels in whole packs, and tiles of all kinds.
std::vector<Op> rows_of_packs() {
  const Pool2dOptions overlapping{.window = 3, .stride = 2, .padding = 1};
  return {{"relu, packs",
           {{{4, 8}, Values::nonzero}},
           [](std::span<const Tensor> in) { return relu(in[0]); }},
          {"add, packs",
           {{{3, 8}}, {{3, 8}}},
           [](std::span<const Tensor> in) { return add(in[0], in[1]); }},
          {"dropout, packs",
           {{{3, 16}}},
           [](std::span<const Tensor> in) { return dropout(in[0], 0.3, {.seed = 7, .id = 0}); }},
          {"batch_norm, packs",
           {{{9, 2, 1, 8}}, {{8}, Values::positive, FirstAxis::fixed}, all_of({8})},
           [](std::span<const Tensor> in) {
             const auto running = [&](double value) {
               return Tensor::full({8}, value, accumulator(in[0].dtype()), in[0].device());
             };
             return batch_norm(in[0], {in[1], in[2], running(0.0), running(1.0)}, Mode::train,
                               {.activation = Activation::relu, .dropout = 0.4},
                               {.seed = 7, .id = 0});
           }},
          pool2d_row("max_pool2d, packs", max_pool2d, {2, 5, 6, 4}, {}),
          pool2d_row("max_pool2d, overlapping, packs", max_pool2d, {1, 5, 6, 4}, overlapping),
          pool2d_row("avg_pool2d, packs", avg_pool2d, {1, 5, 6, 4}, overlapping)};
}

std::vector<Op> rows_of_tiles() {
  const Conv2dOptions padded{.padding = 1};
  const Conv2dOptions largest{
      .padding = 1, .activation = Activation::relu, .pooling = Pooling::max_2x2};
  Conv2dOptions in_groups = largest;
  in_groups.groups = 2;
  return {conv2d_row("conv2d, pooled packs", {2, 5, 4, 3}, {4, 3, 3, 3}, largest),
          conv2d_row("conv2d, groups, pooled packs", {2, 4, 5, 4}, {8, 3, 3, 2}, in_groups),
          conv2d_row("conv2d, groups, pooled", {2, 4, 5, 4}, {6, 3, 3, 2}, in_groups),
          first_layer_row("first layer, packs", {2, 5, 4, 1}, {8, 3, 3, 1}, padded),
          first_layer_row("first layer, pooled packs", {2, 5, 4, 1}, {4, 3, 3, 1}, largest),
          first_layer_row("first layer, not square", {2, 5, 4, 1}, {4, 2, 3, 1}, padded),
          conv2d_row("conv2d, 8 channels to 40", {1, 4, 5, 8}, {40, 2, 2, 8}, padded),
          conv2d_row("conv2d, 6 channels to 40", {1, 4, 5, 6}, {40, 2, 2, 6}, padded),
          conv2d_row("conv2d, 5 channels to 40", {1, 4, 5, 5}, {40, 2, 2, 5}, padded),
          conv2d_row("conv2d, 40 channels to 8", {1, 4, 5, 40}, {8, 2, 2, 40}, padded),
          conv2d_row("conv2d, 40 channels to 6", {1, 4, 5, 40}, {6, 2, 2, 40}, padded),
          conv2d_row("conv2d, 40 channels to 5", {1, 4, 5, 40}, {5, 2, 2, 40}, padded),
          deform_conv2d_row("deform_conv2d, 8 channels to 40", {1, 4, 5, 8}, {40, 3, 3, 8}),
          deform_conv2d_row("deform_conv2d, 8 channels to 70", {1, 4, 5, 8}, {70, 3, 3, 8}),
          deform_conv2d_row("deform_conv2d, 5 channels to 40", {1, 4, 5, 5}, {40, 3, 3, 5}),
          deform_conv2d_row("deform_conv2d, one channel to 40", {1, 4, 5, 1}, {40, 3, 3, 1})};
}

const std::vector<Op>& all_ops() {
  static const std::vector<Op> ops = [] {
    std::vector<Op> all = op_table();
    for (const std::vector<Op>& more : {rows_of_packs(), rows_of_tiles()})
      all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return ops;
}

Op on_cuda(const Op& op) {
  return {op.name, op.inputs, on_device(Device::cuda, op.function)};
}

// The gradients of some dy that every type can hold.
Differentiated run(const Op& op, const std::vector<Tensor>& inputs) {
  const Tensor y = op.function(inputs);
  const Tensor dy = noise(y.shape(), {.seed = 5, .id = 0}, DType::bf16).to(y.dtype());
  return differentiate(op.function, inputs, dy);
}

Differentiated run(const Op& op, DType dtype, std::int64_t times = 1) {
  return run(op, draw_inputs(op, dtype, times));
}

// A result in bf16 is rounded from a sum in f32, to 2^-8 of itself at most; where bias and
// activation are a pass of their own, twice.
constexpr double kBf16Tolerance = 0x2p-8;

// y and gradients, relative to the largest element.
std::string parity_error(const Differentiated& a, const Differentiated& b, double tolerance) {
  const auto error = [&](const std::string& what, const Tensor& x, const Tensor& y) {
    const double worst = difference(x, y), bound = tolerance * (largest(x) + 1e-3);
    return worst <= bound ? std::string() : fmt::format("{}: off by {:.3g}, ", what, worst);
  };
  std::string errors = error("y", a.y, b.y);
  for (std::size_t i = 0; i < a.grads.size(); ++i)
    errors += error(fmt::format("gradient {}", i), a.grads[i], b.grads[i]);
  return errors;
}

}  // namespace

TEST_CASE("every op's gradient on CUDA equals finite differences", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const Op& op : all_ops()) {
    INFO(op.name);
    CHECK(directional_error(on_cuda(op).function, draw_inputs(op, DType::f64), 11) == "");
  }
}

TEST_CASE("every op on CUDA agrees with the CPU", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const Op& op : all_ops()) {
    INFO(op.name);
    const Differentiated exact = run(op, DType::f64);
    CHECK(parity_error(exact, run(on_cuda(op), DType::f64), 1e-12) == "");
    CHECK(parity_error(exact, run(on_cuda(op), DType::f32), 1e-5) == "");
  }
}

TEST_CASE("every op in bf16 on CUDA is off by its rounding at most", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const Op& op : all_ops()) {
    INFO(op.name);
    const std::vector<Tensor> inputs = draw_inputs(op, DType::bf16);
    std::vector<Tensor> same;
    for (const Tensor& input : inputs) same.push_back(input.to(DType::f64));
    const Differentiated rounded = run(on_cuda(op), inputs);
    CHECK(parity_error(run(op, same), rounded, kBf16Tolerance) == "");
    for (const Tensor& gradient : rounded.grads) CHECK(gradient.dtype() == DType::bf16);
  }
}

TEST_CASE("the check of bf16 catches a result that is rounded more often", "[cuda]") {
  const auto error = [](double y) {
    const auto scalar = [](double value) { return Tensor::full({}, value, DType::f64); };
    return parity_error({scalar(1.0), {}}, {scalar(y), {}}, kBf16Tolerance);
  };
  CHECK(error(1.0 + 0x2p-8) == "");
  CHECK(error(1.0 + 0x3p-8) != "");
}

TEST_CASE("sums of bf16 are taken in f32", "[cuda]") {  // in bf16, 256 + 1 is 256
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const auto all_ones = [](const Function& f, std::initializer_list<Shape> shapes) {
    std::vector<Tensor> inputs;
    for (const Shape& shape : shapes) inputs.push_back(Tensor::full(shape, 1.0, DType::bf16));
    const Function there = on_device(Device::cuda, f);
    return differentiate(there, inputs, Tensor::full(there(inputs).shape(), 1.0, DType::bf16));
  };
  const Differentiated rows =
      all_ones([](std::span<const Tensor> in) { return linear(in[0], in[1], in[2]); },
               {{1000, 1}, {1, 1}, {1}});
  CHECK(values(rows.grads[1]) == std::vector{1000.0});
  CHECK(values(rows.grads[2]) == std::vector{1000.0});
  const Differentiated mean =
      all_ones([](std::span<const Tensor> in) { return avg_pool2d(in[0], {.window = 20}); },
               {{1, 20, 20, 1}});
  CHECK(values(mean.y) == std::vector{1.0});
  const Differentiated depthwise = all_ones(  // by our own kernels
      [](std::span<const Tensor> in) {
        return conv2d(in[0], in[1], in[2], {.padding = 10, .groups = 2});
      },
      {{1, 20, 20, 2}, {2, 20, 20, 1}, {2}});
  CHECK(largest(depthwise.y) == 400.0);  // 401 lies between 400 and 402
  CHECK(largest(depthwise.grads[0]) == 400.0);
  CHECK(largest(depthwise.grads[1]) == 400.0);
}

TEST_CASE("bf16 is refused where it would lose what has to be kept", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const auto ones = [](const Shape& shape, DType dtype) {
    return Tensor::full(shape, 1.0, dtype, Device::cuda);
  };
  const Tensor x = ones({2, 3}, DType::bf16), c = ones({3}, DType::bf16);
  CHECK_THROWS_WITH(batch_norm(x, {c, c, c, c}, Mode::train),
                    "batch_norm: expected all tensors in f32 on cuda, got one in bf16 on cuda");
  CHECK_THROWS_WITH(linear(x, ones({1, 3}, DType::f32), {}),
                    "linear: expected all tensors in bf16 on cuda, got one in f32 on cuda");
}

TEST_CASE("an optimiser moves parameters in bf16 by steps that are too small for them", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const auto moved = [](auto make) {
    Tensor narrow = Tensor::full({5}, 1.0, DType::bf16, Device::cuda);
    Tensor wide = Tensor::full({3}, 1.0, DType::f32, Device::cuda);
    narrow.track(), wide.track();
    const std::unique_ptr<Optimizer> optimizer = make(std::vector{narrow, wide});
    for (int i = 0; i < 30; ++i) {
      optimizer->clear_grads();
      backward(relu(narrow), Tensor::full({5}, 1.0, DType::bf16, Device::cuda));
      backward(relu(wide), Tensor::full({3}, 1.0, DType::f32, Device::cuda));
      optimizer->step(1e-3);  // a quarter of the distance to the next number below 1
    }
    CHECK(optimizer->weights()[1].data<float>() == wide.data<float>());
    const Tensor& kept = optimizer->weights()[0];
    CHECK(kept.dtype() == DType::f32);
    CHECK(largest(kept) == largest(wide));
    CHECK(same_bits(kept.to(DType::bf16), narrow));
    return largest(kept);
  };
  const auto sgd = [](const std::vector<Tensor>& p) { return std::make_unique<Sgd>(p); };
  const auto adam = [](const std::vector<Tensor>& p) { return std::make_unique<Adam>(p); };
  CHECK(moved(sgd) == Approx(0.97).epsilon(1e-5));
  CHECK(moved(adam) == Approx(0.97).epsilon(1e-5));
}

TEST_CASE("a layer in bf16 trains weights in f32", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Op op{
      "linear of cast weights", {{{3, 5}}, {{4, 5}}, {{4}}}, [](std::span<const Tensor> in) {
        const auto used = [&](std::size_t i) { return cast(in[i], DType::bf16); };
        return softmax_cross_entropy(linear(used(0), used(1), used(2)),
                                     Tensor::full({3, 4}, 0.25, DType::bf16, Device::cuda));
      }};
  const Op exact{op.name, op.inputs, [](std::span<const Tensor> in) {
                   return softmax_cross_entropy(linear(in[0], in[1], in[2]),
                                                Tensor::full({3, 4}, 0.25, DType::f64));
                 }};
  const Differentiated rounded = run(on_cuda(op), DType::f32);
  CHECK(rounded.y.dtype() == DType::f32);
  for (const Tensor& gradient : rounded.grads) CHECK(gradient.dtype() == DType::f32);
  // Inputs and logits are rounded as well.
  CHECK(parity_error(run(exact, DType::f64), rounded, 2.0 * kBf16Tolerance) == "");
}

TEST_CASE("a loss on CUDA of more rows than its launch has warps", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Shape shape{kSanitized ? 24 : 8200, 2};  // sanitizers would take a minute
  const Tensor logits = noise(shape, {.seed = 3, .id = 0}, DType::f64);
  const Tensor targets = Tensor::full(shape, 0.5, DType::f64);
  std::vector<std::uint8_t> right;  // of every row
  const std::vector<double> values = logits.to_vector<double>();
  for (std::size_t i = 0; i < values.size(); i += 2)
    right.push_back(values[i] >= values[i + 1] ? 0 : 1);
  const Tensor labels = Tensor::from(Shape{shape[0]}, right);
  Placed<kernels::Progress> there(Device::cuda);
  const double loss = softmax_cross_entropy(logits, targets).item();
  CHECK(softmax_cross_entropy(logits.to(Device::cuda), targets.to(Device::cuda),
                              {.labels = labels.to(Device::cuda), .progress = there.address()})
            .item() == Approx(loss).epsilon(1e-12));
  CHECK(there.read().correct == shape[0]);
}

TEST_CASE("batch-norm's relu on CUDA has no gradient where it is exactly zero", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const auto filled = [](double value) {
    return Tensor::full({1}, value, DType::f64, Device::cuda);
  };
  Tensor beta = filled(0.0);
  beta.track();
  const Tensor x = Tensor::from(Shape{3, 1}, std::vector<double>{-1.0, 0.0, 1.0}).to(Device::cuda);
  const Tensor y = batch_norm(x, {filled(1.0), beta, filled(0.0), filled(1.0)}, Mode::train,
                              {.activation = Activation::relu});
  backward(y, Tensor::full({3, 1}, 1.0, DType::f64, Device::cuda));
  CHECK(beta.grad().item() == 1.0);  // of the last alone
}

TEST_CASE("tensors on different devices are refused", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Tensor cpu = Tensor::zeros({2, 4}), cuda = Tensor::zeros({2, 4}, DType::f32, Device::cuda);
  CHECK_THROWS_WITH(add(cuda, cpu), ContainsSubstring("add: expected all tensors in f32 on cuda") &&
                                        ContainsSubstring("got one in f32 on cpu"));
  CHECK_THROWS_WITH(linear(cuda, cpu, {}), ContainsSubstring("linear: expected"));
  CHECK_THROWS_WITH(softmax_cross_entropy(cpu, cuda), ContainsSubstring("on cpu, got one in f32"));
}

TEST_CASE("with TF32 every op on CUDA is off by its rounding at most", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  if constexpr (kCudaBuilt) set_cuda_math(Math::tf32);
  int rounded = 0;
  for (const Op& op : all_ops()) {
    INFO(op.name);
    const Differentiated exact = run(op, DType::f64), there = run(on_cuda(op), DType::f32);
    CHECK(parity_error(exact, there, 3e-3) == "");
    rounded += parity_error(exact, there, 1e-4).empty() ? 0 : 1;
  }
  CHECK(rounded > 0);  // else nothing was
  if constexpr (kCudaBuilt) set_cuda_math(Math::f32);
}

TEST_CASE("every op on CUDA gives the same bits twice, and its storages back", "[cuda][twice]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  // Enough blocks that a device mixes their order.
  constexpr std::int64_t kTimes = kEmulated ? 2 : 16;
  for (const Op& op : all_ops()) {
    INFO(op.name);
    const std::int64_t before = live_storages();
    {
      for (const DType dtype : {DType::f32, DType::bf16}) {
        const Differentiated first = run(on_cuda(op), dtype, kTimes),
                             second = run(on_cuda(op), dtype, kTimes);
        CHECK(same_bits(first.y, second.y));
        CHECK(std::ranges::equal(first.grads, second.grads, same_bits));
      }
    }
    CHECK(live_storages() == before);
  }
}

TEST_CASE("a batch of odd images is gathered on CUDA as on the CPU", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const std::vector<std::uint8_t> pixels{7, 0,   255, 3, 90,  17, 200, 1, 64,
                                         2, 128, 33,  5, 250, 11, 8,   9, 10};
  const Tensor images = Tensor::from(Shape{2, 3, 3, 1}, pixels);
  const Tensor labels = Tensor::from(Shape{2}, std::vector<std::uint8_t>{2, 0});
  const std::vector<std::int32_t> indices{1, 0, 1};
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16}) {
    const DType on_cpu = dtype == DType::bf16 ? DType::f64 : dtype;
    const Batch cpu = gather_batch(images, labels, indices, 3, {}, on_cpu);
    const Batch cuda =
        gather_batch(images.to(Device::cuda), labels.to(Device::cuda), indices, 3, {}, dtype);
    CHECK(difference(cpu.x, cuda.x) <= (dtype == DType::bf16 ? 0x1p-9 : 0.0));
    CHECK(difference(cpu.targets, cuda.targets) == 0.0);
  }
}

}  // namespace drape::tests
