// The networks of the study: sizes, names, and what makes each one itself.
#include <algorithm>
#include <cmath>
#include <vector>

#include "layers/conv2d.h"
#include "layers/linear.h"
#include "models/build.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"

namespace {

using drape::Architecture;
using drape::NetworkOptions;
using drape::Sequential;
using drape::Shape;
using drape::Tensor;

Sequential initialized(const NetworkOptions& options) {
  Sequential model = drape::build_network(options);
  drape::Generator random(1, drape::Purpose::initialization);
  model.initialize(random);
  return model;
}

// Two images of smooth values in [0, 1].
Tensor images() {
  std::vector<float> pixels(2 * 28 * 28);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = 0.5f + 0.5f * std::sin(0.37f * static_cast<float>(i));
  return Tensor::from(Shape{2, 28, 28, 1}, pixels);
}

std::vector<float> logits(Sequential& model) {
  drape::Pass pass = drape::Pass::eval();
  return model.forward(images(), pass).to_vector<float>();
}

// Parameters by the table: 3x3 filters over these channels, then two linear layers.
std::int64_t expected_parameters(const std::vector<std::int64_t>& channels) {
  std::int64_t count = (49 * channels.back() * 128 + 128) + (128 * 10 + 10);
  for (std::size_t i = 1; i < channels.size(); ++i)
    count += 9 * channels[i - 1] * channels[i] + channels[i];
  return count;
}

constexpr std::int64_t kOffsetParameters = (9 * 1 * 18 + 18) + (9 * 32 * 18 + 18);
constexpr std::int64_t kNormParameters = 2 * 32 + 2 * 64;

}  // namespace

TEST_CASE("every network has the parameters of the study's table") {
  const std::int64_t standard = expected_parameters({1, 32, 64});
  CHECK(standard == 421'642);
  const auto parameters = [](const NetworkOptions& options) {
    return drape::build_network(options).parameter_count();
  };
  CHECK(parameters({.architecture = Architecture::standard}) == standard);
  CHECK(parameters({.architecture = Architecture::deep}) ==
        expected_parameters({1, 32, 64, 128, 256}));
  CHECK(parameters({.architecture = Architecture::dilated, .dilation = 10}) == standard);
  CHECK(parameters({.architecture = Architecture::deformable}) == standard + kOffsetParameters);
  CHECK(parameters({.architecture = Architecture::enhanced}) ==
        standard + kOffsetParameters + kNormParameters);
}

TEST_CASE("every system maps images to ten logits, and says so beforehand") {
  for (const drape::System& system : drape::systems()) {
    CAPTURE(system.name);
    Sequential model = initialized(network_of(system));
    CHECK(model.output_shape({2, 28, 28, 1}) == Shape{2, 10});
    drape::Pass pass = drape::Pass::eval();
    CHECK(model.forward(images(), pass).shape() == Shape{2, 10});
    CHECK_THROWS_AS(model.output_shape({2, 28, 28, 3}), drape::Error);
  }
}

TEST_CASE("the standard CNN needs the multiply-adds of its formula") {
  const std::int64_t conv1 = 28 * 28 * 32 * 9, conv2 = 14 * 14 * 64 * 9 * 32;
  const std::int64_t linear = 3136 * 128 + 128 * 10;
  CHECK(drape::build_network({}).multiply_adds({1, 28, 28, 1}) == conv1 + conv2 + linear);
}

TEST_CASE("a deformable CNN starts as the standard CNN") {
  Sequential standard = initialized({.architecture = Architecture::standard});
  Sequential deformable = initialized({.architecture = Architecture::deformable});
  const std::vector<float> expected = logits(standard), got = logits(deformable);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(got[i] == Approx(expected[i]).epsilon(1e-4).margin(1e-5));  // f32, sums in another order
}

TEST_CASE("dilation changes what a network computes, and one is the standard CNN") {
  Sequential standard = initialized({.architecture = Architecture::standard});
  Sequential one = initialized({.architecture = Architecture::dilated, .dilation = 1});
  Sequential two = initialized({.architecture = Architecture::dilated, .dilation = 2});
  CHECK(logits(one) == logits(standard));
  CHECK(logits(two) != logits(standard));
}

TEST_CASE("dropout of the enhanced CNN acts in train mode only, before both linear layers") {
  const auto trained = [](double dropout) {
    Sequential model = initialized({.architecture = Architecture::enhanced, .dropout = dropout});
    drape::Generator random(3, drape::Purpose::dropout);
    drape::Pass pass = drape::Pass::train(random);
    model.forward(images(), pass);
    return random.state().id - drape::Generator(3, drape::Purpose::dropout).state().id;
  };
  CHECK(trained(0.3) == 2);
  Sequential strong = initialized({.architecture = Architecture::enhanced, .dropout = 0.9});
  Sequential none = initialized({.architecture = Architecture::enhanced, .dropout = 0.0});
  CHECK(logits(strong) == logits(none));
}

TEST_CASE("a system of the study goes by its name, a variation by another") {
  for (const drape::System& system : drape::systems()) {
    CHECK(system_name(network_of(system), system.mixup_alpha) == system.name);
    CHECK(drape::studied(system.name) == &system);
  }
  CHECK(drape::system_name({.architecture = Architecture::dilated, .dilation = 5}, 0.0) ==
        "dilated5");
  CHECK(drape::system_name({.architecture = Architecture::enhanced, .dropout = 0.5}, 0.0) ==
        "enhanced_dropout0.5");
  CHECK(drape::system_name({}, 0.2) == "standard_mixup0.2");
  CHECK(drape::system_name({.architecture = Architecture::deep}, 1.0) == "deep_mixup");
  CHECK(drape::studied("deep_mixup") == nullptr);
}

TEST_CASE("what does not fit is named with the layer that it does not fit") {
  drape::Sequential network = drape::build_network({});
  drape::Pass pass = drape::Pass::eval();
  CHECK_THAT(drape::tests::error_of([&] {
               network.forward(drape::Tensor::zeros({1, 40, 40, 1}), pass);
             }),
             ContainsSubstring("linear1: linear: expected input [N,3136]"));
  CHECK_THAT(drape::tests::error_of([&] {
               network.output_shape({1, 28, 28, 3});
             }),
             ContainsSubstring("conv1: "));
}

TEST_CASE("weights begin within one over the root of their inputs, and fill that range") {
  const auto check = [](drape::Module&& layer, double inputs) {
    drape::Generator random(1, drape::Purpose::initialization);
    layer.initialize(random);
    const double bound = 1.0 / std::sqrt(inputs);
    REQUIRE(layer.parameters().size() == 2);
    for (const Tensor& parameter : layer.parameters()) {
      const std::vector<float> values = parameter.to_vector<float>();
      // All of 2,000 uniform ones or more are below 0.99 of the bound once in 10^4 times.
      REQUIRE(values.size() >= 2000);
      const auto [least, most] = std::ranges::minmax(values);
      CHECK(most >= 0.99 * bound);
      CHECK(most <= bound * (1.0 + 1e-6));
      CHECK(least <= -0.99 * bound);
      CHECK(least >= -bound * (1.0 + 1e-6));
    }
  };
  check(drape::Linear(50, 3000), 50.0);
  check(drape::Conv2d(24, 2000, 3, {.groups = 2}), 3.0 * 3.0 * 12.0);
}

TEST_CASE("the same seed initialises the same weights, another seed others") {
  Sequential a = initialized({}), b = initialized({});
  CHECK(logits(a) == logits(b));
  drape::Generator random(2, drape::Purpose::initialization);
  b.initialize(random);
  CHECK(logits(a) != logits(b));
}
