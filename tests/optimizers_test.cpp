// Adam, AdamW and SGD: PyTorch's steps, and that a saved state goes on with the same bits.
#include <cmath>
#include <memory>

#include "layers/add.h"
#include "optim/adam.h"
#include "optim/sgd.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/goldens.h"
#include "core/gradient_check.h"

namespace drape::tests {
namespace {

// The optimiser of a golden case, with PyTorch's names of options.
std::unique_ptr<Optimizer> optimizer_of(const nlohmann::json& golden, const Tensor& parameter) {
  if (golden.at("optimizer") == "SGD") {
    return std::make_unique<Sgd>(
        std::vector<Tensor>{parameter},
        SgdOptions{.momentum = golden.at("momentum"),
                   .form = golden.at("nesterov") ? Momentum::nesterov : Momentum::heavy_ball,
                   .weight_decay = golden.at("weight_decay")});
  }
  const bool decoupled = golden.at("optimizer") == "AdamW";
  return std::make_unique<Adam>(
      std::vector<Tensor>{parameter},
      AdamOptions{.beta1 = golden.at("betas").at(0),
                  .beta2 = golden.at("betas").at(1),
                  .epsilon = golden.at("eps"),
                  .weight_decay = golden.at("weight_decay"),
                  .decay = decoupled ? WeightDecay::decoupled : WeightDecay::l2});
}

// Gives a leaf the gradient g.
void set_grad(const Tensor& leaf, const Tensor& g) {
  backward(record(leaf.clone(), {leaf}, [g](const Tensor&) -> Grads { return {g}; }),
           Tensor::zeros(leaf.shape(), leaf.dtype()));
}

Tensor leaf_of(const Tensor& t) {
  Tensor leaf = t.clone();
  leaf.track();
  return leaf;
}

Tensor row(const Tensor& matrix, std::size_t i) {
  const std::vector<double> all = values(matrix);
  const auto size = static_cast<std::size_t>(matrix.shape()[1]);
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * size);
  return Tensor::from({matrix.shape()[1]},
                      std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(size)));
}

// Steps of Adam on a parameter, with the gradients of one stream per step.
void train(Optimizer& optimizer, const Tensor& parameter, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t s = first; s < last; ++s) {
    optimizer.clear_grads();
    set_grad(parameter, noise(parameter.shape(), {77, s}, parameter.dtype()));
    optimizer.step(0.1);
  }
}

std::vector<Tensor> state_of(Optimizer& optimizer) {
  std::vector<Tensor> state;
  optimizer.visit([&](std::string_view, Tensor& tensor) { state.push_back(tensor); });
  return state;
}

}  // namespace

TEST_CASE("optimisers take PyTorch's steps", "[optimizers]") {
  for (const auto& golden : golden_cases("optimizers")) {
    INFO(golden.at("name"));
    const Tensor parameter = leaf_of(golden_tensor(golden.at("x")));
    const Tensor gradients = golden_tensor(golden.at("gradients"));
    const Tensor after = golden_tensor(golden.at("x_after"));
    const auto optimizer = optimizer_of(golden, parameter);
    for (std::size_t s = 0; s < static_cast<std::size_t>(gradients.shape()[0]); ++s) {
      optimizer->clear_grads();
      set_grad(parameter, row(gradients, s));
      optimizer->step(golden.at("lr"));
      CHECK(difference(parameter, row(after, s)) < 1e-13);
    }
  }
}

TEST_CASE("the size of Adam's first step is the learning rate", "[optimizers]") {
  for (const double g : {1e-3, -5.0, 1e6}) {
    Tensor parameter = leaf_of(Tensor::zeros({1}, DType::f64));
    Adam adam({parameter});
    set_grad(parameter, Tensor::full({1}, g, DType::f64));
    adam.step(0.01);
    CHECK(parameter.item() == Approx(g > 0 ? -0.01 : 0.01).epsilon(1e-4));
  }
}

TEST_CASE("optimisers leave a parameter without a gradient and do not count its step",
          "[optimizers]") {
  const Tensor start = noise({5}, {1, 1});
  const Tensor used = leaf_of(start), late = leaf_of(start), alone = leaf_of(start);
  Adam both({used, late}), one({alone});
  train(both, used, 0, 3);
  CHECK(same_bits(late, start));
  train(one, alone, 3, 4);
  both.clear_grads();
  set_grad(late, noise({5}, {77, 3}));
  both.step(0.1);
  CHECK(same_bits(late, alone));
  CHECK_FALSE(same_bits(used, alone));
}

TEST_CASE("an optimiser goes on from its saved state with the same bits", "[optimizers]") {
  const auto check = [](auto make) {
    const Tensor whole = leaf_of(noise({301}, {1, 1}, DType::f32)), part = leaf_of(whole);
    const std::unique_ptr<Optimizer> straight = make(whole), first = make(part);
    train(*straight, whole, 0, 6);
    train(*first, part, 0, 3);
    const Tensor loaded = leaf_of(part);
    const std::unique_ptr<Optimizer> second = make(loaded);
    const std::vector<Tensor> saved = state_of(*first);
    std::vector<Tensor> restored = state_of(*second);
    REQUIRE(saved.size() == restored.size());
    for (std::size_t i = 0; i < saved.size(); ++i) restored[i].assign(saved[i]);
    train(*second, loaded, 3, 6);
    CHECK(same_bits(whole, loaded));
  };
  check([](const Tensor& p) { return std::make_unique<Adam>(std::vector<Tensor>{p}); });
  check([](const Tensor& p) {
    return std::make_unique<Sgd>(std::vector<Tensor>{p}, SgdOptions{.momentum = 0.9});
  });
}

TEST_CASE("optimisers treat several tensors as each alone", "[optimizers]") {
  // The first is large enough to be cut between threads.
  const std::vector<Shape> shapes{{70001}, {3, 5}, {1}};
  std::vector<Tensor> together;
  for (const Shape& shape : shapes) together.push_back(leaf_of(noise(shape, {9, 9}, DType::f32)));
  Adam all(together);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    set_grad(together[i], noise(shapes[i], {9, i}, DType::f32));
  }
  all.step(0.1);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Tensor alone = leaf_of(noise(shapes[i], {9, 9}, DType::f32));
    Adam one({alone});
    set_grad(alone, noise(shapes[i], {9, i}, DType::f32));
    one.step(0.1);
    CHECK(same_bits(alone, together[i]));
  }
}

TEST_CASE("optimisers minimise a quadratic", "[optimizers]") {
  const auto minimised = [](auto make) {
    const Tensor x = leaf_of(Tensor::from({2}, std::vector<double>{3.0, -4.0}));
    const std::unique_ptr<Optimizer> optimizer = make(x);
    for (int s = 0; s < 500; ++s) {
      optimizer->clear_grads();
      set_grad(x, add(x.detach(), x.detach()));
      optimizer->step(0.05);
    }
    return largest(x);
  };
  CHECK(minimised([](const Tensor& x) { return std::make_unique<Adam>(std::vector<Tensor>{x}); }) <
        1e-3);
  CHECK(minimised([](const Tensor& x) {
          return std::make_unique<Sgd>(std::vector<Tensor>{x},
                                       SgdOptions{.momentum = 0.9, .form = Momentum::nesterov});
        }) < 1e-3);
}

TEST_CASE("optimisers name what does not fit", "[optimizers]") {
  const Tensor leaf = leaf_of(Tensor::zeros({2}));
  CHECK_THROWS_WITH(Adam({}), "optimizer: expected at least one parameter, got none");
  CHECK_THROWS_WITH(Adam({leaf, Tensor::zeros({2})}),
                    "optimizer: expected tracked parameters, got one that is not: 1");
  CHECK_THROWS_AS(Adam({leaf, leaf_of(Tensor::zeros({2}, DType::f64))}), Error);
  CHECK_THROWS_WITH(Adam({leaf_of(Tensor::zeros({2}, DType::bf16))}),
                    "optimizer: expected parameters in f32 or f64 on the CPU, got one in bf16: 0");
  CHECK_THROWS_AS(Adam({leaf}, {.beta1 = 1.0}), Error);
  CHECK_THROWS_AS(Adam({leaf}, {.epsilon = 0.0}), Error);
  CHECK_THROWS_AS(Adam({leaf}, {.weight_decay = -1.0}), Error);
  CHECK_THROWS_AS(Sgd({leaf}, {.momentum = -0.1}), Error);
  CHECK_THROWS_AS(Sgd({leaf}, {.form = Momentum::nesterov}), Error);
  CHECK_THROWS_AS(Adam({leaf}).step(-1.0), Error);
  CHECK_THROWS_AS(Sgd({leaf}).step(std::nan("")), Error);
}

}  // namespace drape::tests
