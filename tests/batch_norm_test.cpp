// Batch norm: PyTorch's numbers, chunked statistics, the fused forms, train and eval mode.
#include "layers/batch_norm.h"

#include <cmath>

#include "layers/dropout.h"
#include "layers/relu.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/goldens.h"
#include "tests/op_table.h"

namespace drape::tests {
namespace {

BatchNormState fresh(std::int64_t channels, DType dtype = DType::f64) {
  return {Tensor::full({channels}, 1.0, dtype), Tensor::zeros({channels}, dtype),
          Tensor::zeros({channels}, dtype), Tensor::full({channels}, 1.0, dtype)};
}

}  // namespace

TEST_CASE("batch norm equals PyTorch's", "[batch_norm]") {
  for (const auto& golden : golden_cases("batch_norm")) {
    INFO(golden.at("name"));
    const auto at = [&](const char* key) { return golden_tensor(golden.at(key)); };
    const Mode mode = golden.at("mode") == "train" ? Mode::train : Mode::eval;
    const BatchNormOptions options{.momentum = golden.at("momentum"), .epsilon = golden.at("eps")};
    const Tensor running_mean = at("running_mean"), running_var = at("running_var");
    const std::vector<Tensor> inputs{at("x"), at("gamma"), at("beta")};
    const Differentiated got = differentiate(
        [&](std::span<const Tensor> in) {
          return batch_norm(in[0], {in[1], in[2], running_mean, running_var}, mode, options);
        },
        inputs, at("dy"));
    CHECK(difference(got.y, at("y")) < 1e-12);
    CHECK(difference(got.grads[0], at("dx")) < 1e-12);
    CHECK(difference(got.grads[1], at("dgamma")) < 1e-12);
    CHECK(difference(got.grads[2], at("dbeta")) < 1e-12);
    CHECK(difference(running_mean, at("running_mean_after")) < 1e-14);
    CHECK(difference(running_var, at("running_var_after")) < 1e-14);
  }
}

TEST_CASE("batch norm's output has mean 0 and variance 1, whatever the input's", "[batch_norm]") {
  // 40,000 rows are several chunks; a mean of 1000 standard deviations is what naive sums lose.
  const std::int64_t rows = 40000, channels = 3;
  std::vector<double> x = values(noise({rows, channels}, {3, 4}));
  for (double& value : x) value = 1000.0 + value;
  const Tensor y = batch_norm(Tensor::from({rows, channels}, x), fresh(channels), Mode::train,
                              {.epsilon = 1e-12});
  const std::vector<double> z = values(y);
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0.0, squares = 0.0;
    for (std::size_t i = c; i < z.size(); i += 3) sum += z[i], squares += z[i] * z[i];
    CHECK(sum / static_cast<double>(rows) == Approx(0.0).margin(1e-9));
    CHECK(squares / static_cast<double>(rows) == Approx(1.0).margin(1e-9));
  }
}

TEST_CASE("batch norm over many chunks equals the plain formula", "[batch_norm]") {
  const std::int64_t rows = 5003, channels = 7;
  const Tensor x = noise({rows, channels}, {3, 5});
  const BatchNormState state = fresh(channels);
  batch_norm(x, state, Mode::train, {.momentum = 1.0});
  const std::vector<double> values_of_x = values(x);
  for (std::size_t c = 0; c < 7; ++c) {
    double mean = 0.0, m2 = 0.0;
    for (std::size_t i = c; i < values_of_x.size(); i += 7) mean += values_of_x[i];
    mean /= static_cast<double>(rows);
    for (std::size_t i = c; i < values_of_x.size(); i += 7) {
      m2 += (values_of_x[i] - mean) * (values_of_x[i] - mean);
    }
    CHECK(values(state.running_mean)[c] == Approx(mean).margin(1e-14));
    CHECK(values(state.running_var)[c] ==
          Approx(m2 / static_cast<double>(rows - 1)).epsilon(1e-13));
  }
}

TEST_CASE("fused batch norm equals batch norm, relu and dropout one after the other",
          "[batch_norm]") {
  const RandomStream stream{.seed = 8, .id = 9};
  const std::vector<Tensor> inputs{noise({31, 3, 2, 5}, {1, 0}), noise({5}, {1, 1}),
                                   noise({5}, {1, 2})};
  const Tensor dy = noise({31, 3, 2, 5}, {1, 3});
  const auto state_of = [](std::span<const Tensor> in) {
    BatchNormState state = fresh(5);
    state.gamma = in[1];
    state.beta = in[2];
    return state;
  };
  const Differentiated fused = differentiate(
      [&](std::span<const Tensor> in) {
        return batch_norm(in[0], state_of(in), Mode::train,
                          {.activation = Activation::relu, .dropout = 0.4}, stream);
      },
      inputs, dy);
  const Differentiated apart = differentiate(
      [&](std::span<const Tensor> in) {
        return dropout(relu(batch_norm(in[0], state_of(in), Mode::train)), 0.4, stream);
      },
      inputs, dy);
  CHECK(difference(fused.y, apart.y) < 1e-14);
  for (std::size_t i = 0; i < 3; ++i) CHECK(difference(fused.grads[i], apart.grads[i]) < 1e-12);
}

TEST_CASE("batch norm in eval mode is the same for each row alone", "[batch_norm]") {
  BatchNormState state = fresh(4);
  batch_norm(noise({50, 4}, {2, 0}), state, Mode::train);
  const Tensor mean = state.running_mean.clone();
  const Tensor x = noise({3, 4}, {2, 1});
  const std::vector<double> all = values(batch_norm(x, state, Mode::eval));
  for (std::size_t n = 0; n < 3; ++n) {
    const std::vector<double> x_all = values(x);
    const std::vector<double> row(x_all.begin() + 4 * static_cast<std::ptrdiff_t>(n),
                                  x_all.begin() + 4 * static_cast<std::ptrdiff_t>(n + 1));
    const std::vector<double> y = values(batch_norm(Tensor::from({1, 4}, row), state, Mode::eval));
    for (std::size_t c = 0; c < 4; ++c) CHECK(y[c] == all[4 * n + c]);
  }
  CHECK(same_bits(state.running_mean, mean));
}

TEST_CASE("batch norm's gradient in eval mode ignores later running statistics", "[batch_norm]") {
  const BatchNormState state = fresh(2);
  const std::vector<Tensor> inputs = tracked(std::vector{noise({3, 2}, {2, 2}), state.gamma});
  const Tensor y = batch_norm(
      inputs[0], {inputs[1], state.beta, state.running_mean, state.running_var}, Mode::eval);
  batch_norm(noise({9, 2}, {2, 3}), state, Mode::train, {.momentum = 1.0});
  backward(y, Tensor::full({3, 2}, 1.0, DType::f64));
  for (const double dx : values(inputs[0].grad())) CHECK(dx == Approx(1.0).epsilon(1e-5));
  const std::vector<double> x = values(inputs[0]), dgamma = values(inputs[1].grad());
  for (std::size_t c = 0; c < 2; ++c) {
    CHECK(dgamma[c] == Approx(x[c] + x[2 + c] + x[4 + c]).epsilon(1e-5));
  }
}

TEST_CASE("batch norm drops nothing in eval mode", "[batch_norm]") {
  const Tensor x = noise({9, 2}, {2, 3});
  CHECK(same_bits(batch_norm(x, fresh(2), Mode::eval, {.dropout = 0.5}),
                  batch_norm(x, fresh(2), Mode::eval)));
}

TEST_CASE("batch norm of more channels than are worked off together has the right gradient",
          "[batch_norm]") {
  const Function function = [](std::span<const Tensor> in) {
    return batch_norm(
        in[0], {in[1], in[2], Tensor::zeros({19}, DType::f64), Tensor::zeros({19}, DType::f64)},
        Mode::train, {.activation = Activation::relu});
  };
  const std::vector<Tensor> inputs{noise({3, 2, 1, 19}, {1, 1}),
                                   draw({19}, Values::positive, {.seed = 1, .id = 2}, DType::f64),
                                   noise({19}, {1, 3})};
  CHECK(jacobian_error(function, inputs) == "");
}

TEST_CASE("batch norm lets NaN through", "[batch_norm]") {
  Tensor x = noise({4, 2}, {2, 2});
  x.data<double>()[2] = std::nan("");
  const Tensor y = batch_norm(x, fresh(2), Mode::train, {.activation = Activation::relu});
  CHECK(std::isnan(values(y)[0]));
  CHECK_FALSE(std::isnan(values(y)[1]));
}

TEST_CASE("batch norm names what does not fit", "[batch_norm]") {
  CHECK_THROWS_WITH(batch_norm(Tensor::zeros({1, 1, 1, 2}, DType::f64), fresh(2), Mode::train),
                    "batch_norm: expected more than one value a channel, got x [1,1,1,2]");
  CHECK_NOTHROW(batch_norm(Tensor::zeros({1, 1, 1, 2}, DType::f64), fresh(2), Mode::eval));
  CHECK_THROWS_WITH(
      batch_norm(Tensor::zeros({4, 3}, DType::f64), fresh(2), Mode::train),
      "batch_norm: expected x [...,2] of rank 2 or more that is not empty, got [4,3]");
  CHECK_THROWS_AS(batch_norm(Tensor::zeros({0, 2}, DType::f64), fresh(2), Mode::eval), Error);
  CHECK_THROWS_AS(batch_norm(Tensor::zeros({2}, DType::f64), fresh(2), Mode::train), Error);
  CHECK_THROWS_AS(BatchNorm(0), Error);
  CHECK_THROWS_AS(BatchNorm(3, {.momentum = 1.5}), Error);
  CHECK_THROWS_AS(BatchNorm(3, {.epsilon = 0.0}), Error);
  CHECK_THROWS_AS(BatchNorm(3, {.dropout = 1.0}), Error);
}

TEST_CASE("a batch norm module trains in train mode and only reads in eval mode", "[batch_norm]") {
  BatchNorm norm(5, {.dropout = 0.5});
  CHECK(norm.parameter_count() == 10);
  std::vector<std::string> names;
  for (const NamedTensor& named : norm.state()) names.push_back(named.name);
  CHECK(names == std::vector<std::string>{"weight", "bias", "running_mean", "running_var"});

  Generator random(1, Purpose::dropout);
  Pass train = Pass::train(random), eval = Pass::eval();
  const Tensor x = noise({6, 5}, {4, 4}, DType::f32);
  const Tensor y = norm.forward(x, train);
  CHECK(y.tracked());
  CHECK(random.state().id == Generator(1, Purpose::dropout).state().id + 1);
  const Tensor mean = norm.state()[2].tensor.clone();
  CHECK(largest(mean) > 0.0);
  CHECK_FALSE(norm.forward(x, eval).tracked());
  CHECK(same_bits(norm.state()[2].tensor, mean));

  norm.initialize(random);
  CHECK(largest(norm.state()[2].tensor) == 0.0);
  CHECK(norm.state()[0].tensor.to_vector<float>() == std::vector<float>(5, 1.0f));
  Pass without{.mode = Mode::train};
  CHECK_THROWS_WITH(norm.forward(x, without),
                    "batch_norm: expected a generator in train mode, got none");
}

}  // namespace drape::tests
