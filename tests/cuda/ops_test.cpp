// Every op on the device, a real or an emulated one, beside the CPU.
#include "layers/add.h"
#include "layers/linear.h"
#include "layers/losses.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/devices.h"
#include "tests/op_table.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

Op on_cuda(const Op& op) {
  return {op.name, op.inputs, on_device(Device::cuda, op.function)};
}

Differentiated run(const Op& op, DType dtype, std::int64_t times = 1) {
  const std::vector<Tensor> inputs = draw_inputs(op, dtype, times);
  const Tensor dy = noise(op.function(inputs).shape(), {.seed = 5, .id = 0}, dtype);
  return differentiate(op.function, inputs, dy);
}

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
  for (const Op& op : op_table()) {
    INFO(op.name);
    CHECK(directional_error(on_cuda(op).function, draw_inputs(op, DType::f64), 11) == "");
  }
}

TEST_CASE("every op on CUDA agrees with the CPU", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const Op& op : op_table()) {
    INFO(op.name);
    const Differentiated exact = run(op, DType::f64);
    CHECK(parity_error(exact, run(on_cuda(op), DType::f64), 1e-12) == "");
    CHECK(parity_error(exact, run(on_cuda(op), DType::f32), 1e-5) == "");
  }
}

TEST_CASE("tensors on different devices are refused", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const Tensor cpu = Tensor::zeros({2, 4}), cuda = Tensor::zeros({2, 4}, DType::f32, Device::cuda);
  CHECK_THROWS_WITH(add(cuda, cpu), ContainsSubstring("add: expected all tensors in f32 on cuda") &&
                                        ContainsSubstring("got one in f32 on cpu"));
  CHECK_THROWS_WITH(linear(cuda, cpu, {}, Activation::none), ContainsSubstring("linear: expected"));
  CHECK_THROWS_WITH(softmax_cross_entropy(cpu, cuda), ContainsSubstring("on cpu, got one in f32"));
}

TEST_CASE("with TF32 every op on CUDA is off by its rounding at most", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  if constexpr (kCudaBuilt) set_cuda_math(Math::tf32);
  for (const Op& op : op_table()) {
    INFO(op.name);
    CHECK(parity_error(run(op, DType::f64), run(on_cuda(op), DType::f32), 3e-3) == "");
  }
  if constexpr (kCudaBuilt) set_cuda_math(Math::f32);
}

TEST_CASE("every op on CUDA gives the same bits twice, and its storages back", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const Op& op : op_table()) {
    INFO(op.name);
    const std::int64_t before = live_storages();
    {
      const Differentiated first = run(on_cuda(op), DType::f32, 16),
                           second = run(on_cuda(op), DType::f32, 16);
      CHECK(same_bits(first.y, second.y));
      for (std::size_t i = 0; i < first.grads.size(); ++i)
        CHECK(same_bits(first.grads[i], second.grads[i]));
    }
    CHECK(live_storages() == before);
  }
}

}  // namespace drape::tests
