// What must hold for every row of the op table, and that each checker catches what it is there for.
#include <algorithm>
#include <limits>

#include "kernels/parallel.h"
#include "layers/relu.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/op_table.h"

namespace drape::tests {
namespace {

// Large enough that kernels cut their sums into several chunks.
constexpr std::int64_t kManyTimes = 512;

const Op& row(const std::string& name) {
  for (const Op& op : op_table()) {
    if (op.name == name) return op;
  }
  throw Error("op_table: expected a row " + name);
}

Differentiated run(const Op& op, DType dtype, std::int64_t times) {
  const std::vector<Tensor> inputs = draw_inputs(op, dtype, times);
  const Tensor dy = noise(op.function(inputs).shape(), {.seed = 5, .id = 0}, dtype);
  return differentiate(op.function, inputs, dy);
}

// f32 against f64, y and gradients, relative to the largest element. A sum of a few hundred floats
// of one size is off by up to that many times 2^-24 = 6e-8; seen are about ten.
std::string parity_error(const Op& op) {
  constexpr double kTolerance = 1e-5;
  const Differentiated exact = run(op, DType::f64, 1), rounded = run(op, DType::f32, 1);
  const auto error = [&](const std::string& what, const Tensor& a, const Tensor& b) {
    const double worst = difference(a, b), bound = kTolerance * (largest(a) + 1e-3);
    return worst <= bound ? std::string() : fmt::format("{}: off by {:.3g}, ", what, worst);
  };
  std::string errors = error("y", exact.y, rounded.y);
  for (std::size_t i = 0; i < exact.grads.size(); ++i) {
    errors += error(fmt::format("gradient {}", i), exact.grads[i], rounded.grads[i]);
  }
  return errors;
}

// The rows whose y or gradients are other bits with two or four threads than with one.
std::string bits_errors(const std::vector<Op>& ops) {
  const int before = kernels::thread_count();
  const auto run_all = [&](int threads) {
    kernels::set_thread_count(threads);
    std::vector<Differentiated> results;
    for (const Op& op : ops) results.push_back(run(op, DType::f32, kManyTimes));
    return results;
  };
  const std::vector<Differentiated> one = run_all(1);
  std::string errors;
  for (const int threads : {2, 4}) {
    const std::vector<Differentiated> many = run_all(threads);
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (same_bits(one[i].y, many[i].y) &&
          std::ranges::equal(one[i].grads, many[i].grads, same_bits)) {
        continue;
      }
      errors += fmt::format("{} with {} threads; ", ops[i].name, threads);
    }
  }
  kernels::set_thread_count(before);
  return errors;
}

std::int64_t storages_left_by(const Op& op) {
  const std::int64_t before = live_storages();
  run(op, DType::f32, 1);
  return live_storages() - before;
}

// x * factor, with a backward that takes `wrong` of it in element `where`.
Op wrong_gradient(double wrong, std::size_t where) {
  return {"planted", {{{2, 3}}}, [=](std::span<const Tensor> in) {
            return record(in[0].clone(), {in[0]}, [=](const Tensor& dy) -> Grads {
              Tensor dx = dy.clone();
              dx.data<double>()[where] *= wrong;
              return {dx};
            });
          }};
}

}  // namespace

TEST_CASE("every op's gradient equals finite differences", "[gradients]") {
  for (const Op& op : op_table()) {
    INFO(op.name);
    CHECK(jacobian_error(op.function, draw_inputs(op, DType::f64)) == "");
    CHECK(directional_error(op.function, draw_inputs(op, DType::f64), 11) == "");
  }
}

TEST_CASE("the gradient checks catch a planted wrong derivative", "[gradients]") {
  for (const double wrong : {-1.0, 0.0, 1.001, 2.0}) {
    const Op op = wrong_gradient(wrong, 4);
    INFO(wrong);
    CHECK(jacobian_error(op.function, draw_inputs(op, DType::f64)) != "");
    CHECK(directional_error(op.function, draw_inputs(op, DType::f64), 11) != "");
  }
  const Op right = wrong_gradient(1.0, 4);
  CHECK(jacobian_error(right.function, draw_inputs(right, DType::f64)) == "");
}

TEST_CASE("the gradient check catches a gradient that does not arrive", "[gradients]") {
  const Op op{"planted", {{{2, 3}}}, [](std::span<const Tensor> in) {
                return record(in[0].clone(), {in[0]}, [](const Tensor&) { return Grads(1); });
              }};
  CHECK(jacobian_error(op.function, draw_inputs(op, DType::f64)) != "");
  const Function unrecorded = [](std::span<const Tensor> in) { return in[0].clone(); };
  CHECK_THAT(jacobian_error(unrecorded, draw_inputs(op, DType::f64)), ContainsSubstring("got 0"));
}

TEST_CASE("the gradient check names the gradient that is no number", "[gradients]") {
  const Op op = wrong_gradient(std::numeric_limits<double>::quiet_NaN(), 4);
  CHECK_THAT(jacobian_error(op.function, draw_inputs(op, DType::f64)),
             ContainsSubstring("input 0[4]") && ContainsSubstring("nan"));
}

TEST_CASE("the gradient checks refuse inputs that are no f64", "[gradients]") {
  const std::vector<Tensor> inputs{Tensor::zeros({2}), Tensor()};
  const Function f = [](std::span<const Tensor> in) { return relu(in[0]); };
  const char* refused = "gradient check: expected inputs of f64 on the cpu, got f32";
  CHECK_THROWS_WITH(jacobian_error(f, inputs), ContainsSubstring(refused));
  CHECK_THROWS_WITH(directional_error(f, inputs, 1), ContainsSubstring(refused));
}

TEST_CASE("every op's gradients are not all zero: there is something to check", "[gradients]") {
  for (const Op& op : op_table()) {
    INFO(op.name);
    const std::vector<Tensor> inputs = draw_inputs(op, DType::f64);
    const Tensor dy = noise(op.function(inputs).shape(), {.seed = 5, .id = 0}, DType::f64);
    for (const Tensor& grad : differentiate(op.function, inputs, dy).grads)
      CHECK(std::ranges::any_of(grad.to_vector<double>(), [](double g) { return g != 0.0; }));
  }
}

TEST_CASE("every op in f32 agrees with f64", "[gradients]") {
  for (const Op& op : op_table()) {
    INFO(op.name);
    CHECK(parity_error(op) == "");
  }
}

TEST_CASE("the parity check catches a planted rounding error", "[gradients]") {
  const Op op{"planted", {{{2, 3}}}, [](std::span<const Tensor> in) {
                Tensor y = in[0].clone();
                if (y.dtype() == DType::f32) y.data<float>()[5] *= 1.0001f;
                return record(y, {in[0]}, [](const Tensor& dy) -> Grads { return {dy}; });
              }};
  CHECK(parity_error(op) != "");
}

TEST_CASE("every op gives the same bits with any number of threads", "[gradients]") {
  CHECK(bits_errors(op_table()) == "");
}

TEST_CASE("the check of bits catches an op that depends on the number of threads", "[gradients]") {
  const Op op{"planted", {{{2, 3}}}, [](std::span<const Tensor> in) {
                Tensor y = in[0].clone();
                const auto threads = static_cast<float>(kernels::thread_count());
                y.data<float>()[0] += threads * 1e-6f;
                return record(y, {in[0]}, [](const Tensor& dy) -> Grads { return {dy}; });
              }};
  CHECK(bits_errors({op}) == "planted with 2 threads; planted with 4 threads; ");
}

TEST_CASE("every op gives its storages back", "[gradients]") {
  for (const Op& op : op_table()) {
    INFO(op.name);
    CHECK(storages_left_by(op) == 0);
  }
}

TEST_CASE("the check of storages catches an op that keeps one", "[gradients]") {
  std::vector<Tensor> kept;
  const Op op{"planted", {{{2, 3}}}, [&](std::span<const Tensor> in) {
                return relu(kept.emplace_back(relu(in[0])));
              }};
  CHECK(storages_left_by(op) > 0);
}

TEST_CASE("op table names are unique", "[gradients]") {
  for (const Op& op : op_table()) CHECK(&row(op.name) == &op);
}

}  // namespace drape::tests
