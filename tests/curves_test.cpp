// The first 20 training steps of the eight systems against PyTorch's, from the same weights and
// batches: every layer, loss, gradient, MixUp and Adam at once. tests/golden/curves.py says how.
#include <cmath>
#include <string>
#include <vector>

#include "data/batches.h"
#include "layers/losses.h"
#include "models/build.h"
#include "optim/adam.h"
#include "tests/catch.h"
#include "tests/devices.h"
#include "tests/goldens.h"
#include "tests/skip.h"

namespace {

using drape::Batch;
using drape::Device;
using drape::DType;
using drape::RandomStream;
using drape::Sequential;
using drape::Shape;
using drape::Tensor;

constexpr int kBatch = 4, kPixels = 28 * 28, kClasses = 10;

// Sanitizers slow the f64 loops down by ten, the emulator by more: there two steps have to do.
int steps_on(Device device) {
  const bool emulated = device == Device::cuda && drape::tests::kEmulated;
  return emulated || drape::tests::kSanitized ? 2 : 20;
}

// Two batches of random pixels and labels, one after the other.
struct Stored {
  Tensor images, labels;
};

Stored stored() {
  std::vector<std::uint8_t> pixels, labels;
  for (std::uint64_t k = 0; k < 2; ++k) {
    for (std::uint64_t i = 0; i < kBatch * kPixels; ++i)
      pixels.push_back(static_cast<std::uint8_t>(RandomStream{77, k}.word(i) >> 24));
    for (std::uint64_t n = 0; n < kBatch; ++n)
      labels.push_back(static_cast<std::uint8_t>(RandomStream{78, k}.word(n) % kClasses));
  }
  return {Tensor::from(Shape{2 * kBatch, 28, 28, 1}, pixels),
          Tensor::from(Shape{2 * kBatch}, labels)};
}

// Values per output of a filter or a row: the fan-in of a weight.
std::int64_t fan_in(const Tensor& weight) {
  return weight.size() / weight.shape()[0];
}

// Parameters whose initial values are random carry a fan-in; a bias has that of its weight.
void set_weights(Sequential& model) {
  std::uint64_t number = 0;
  std::int64_t inputs = 0;
  for (const drape::NamedTensor& entry : model.state()) {
    if (!is_trained(entry.role)) continue;
    const RandomStream stream{2024, number++};
    const bool constant = entry.name.find("offset") != std::string::npos ||
                          entry.name.find("norm") != std::string::npos;
    if (constant) continue;  // zeros and ones, as initialize() leaves them
    if (entry.tensor.shape().rank() > 1) inputs = fan_in(entry.tensor);
    std::vector<double> values(static_cast<std::size_t>(entry.tensor.size()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = (2.0 * stream.uniform(i) - 1.0) / std::sqrt(static_cast<double>(inputs));
    Tensor parameter = entry.tensor;
    parameter.assign(Tensor::from(parameter.shape(), values));
  }
}

// The losses of the steps; the model keeps its last weights.
std::vector<double> train(Sequential& model, const drape::System& system, DType dtype, int steps) {
  const Device device = model.parameters().front().device();
  const Stored host = stored(), data{host.images.to(device), host.labels.to(device)};
  drape::Adam optimizer(model.parameters());
  drape::Generator dropout(79, drape::Purpose::dropout);
  std::vector<double> losses;
  for (int s = 0; s < steps; ++s) {
    const std::int32_t first = kBatch * (s % 2);
    const std::vector<std::int32_t> indices{first, first + 1, first + 2, first + 3};
    drape::Mix mix;
    if (system.mixup_alpha > 0.0) mix = {.lambda = (s + 1) / 21.0, .order = {3, 2, 1, 0}};
    const Batch batch =
        drape::gather_batch(data.images, data.labels, indices, kClasses, mix, dtype);
    dropout.restore({79, 2 * static_cast<std::uint64_t>(s)});
    drape::Pass pass = drape::Pass::train(dropout);
    const Tensor logits = model.forward(batch.x, pass);
    const Tensor loss = system.mixup_alpha > 0.0
                            ? drape::bce_with_logits(logits, batch.targets)
                            : drape::softmax_cross_entropy(logits, batch.targets);
    losses.push_back(loss.item());
    drape::backward(loss);
    optimizer.step(1e-3);
    optimizer.clear_grads();
  }
  return losses;
}

Sequential prepared(const drape::System& system, DType dtype, Device device = Device::cpu) {
  Sequential model = drape::build_system(system);
  drape::Generator random(0, drape::Purpose::initialization);
  model.initialize(random);
  model.to(dtype);
  set_weights(model);
  model.to(device);
  return model;
}

std::vector<double> values(const Tensor& tensor) {
  return tensor.to(DType::f64).to_vector<double>();
}

double sum(const Tensor& tensor) {
  double total = 0.0;
  for (const double value : values(tensor)) total += value;
  return total;
}

double sum_of_squares(const Tensor& tensor) {
  double total = 0.0;
  for (const double value : values(tensor)) total += value * value;
  return total;
}

// The golden's sums over each parameter, in order, within 1e-9 of its length.
void check_parameters(Sequential& model, const nlohmann::json& golden) {
  const std::vector<Tensor> parameters = model.parameters();
  REQUIRE(parameters.size() == golden.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(golden[i].at("name").get<std::string>());
    const double squares = golden[i].at("sum_of_squares").get<double>();
    const double length = std::sqrt(squares * static_cast<double>(parameters[i].size()));
    CHECK(parameters[i].size() == golden[i].at("elements").get<std::int64_t>());
    CHECK(std::abs(sum(parameters[i]) - golden[i].at("sum").get<double>()) <= 1e-9 * length);
    CHECK(sum_of_squares(parameters[i]) == Approx(squares).epsilon(1e-9));
  }
}

// The golden's sums over the buffers of that name, in order. They hold the bias before the batch
// norm, which has no gradient but rounding errors.
void check_running(Sequential& model, const nlohmann::json& golden, const std::string& ending) {
  std::size_t found = 0;
  for (const drape::NamedTensor& entry : model.state()) {
    if (!entry.name.ends_with(ending)) continue;
    CHECK(sum(entry.tensor) == Approx(golden.at(found++).get<double>()).margin(1e-8));
  }
  CHECK(found == golden.size());
}

nlohmann::json golden_of(const std::string& name) {
  for (const nlohmann::json& golden : drape::tests::golden_cases("curves"))
    if (golden.at("name") == name) return golden;
  throw drape::Error("golden: expected a curve of " + name);
}

// f64 meets PyTorch to rounding. f32 does so for a few steps; then rounding errors show where Adam
// divides a gradient that is nearly zero by its own size, and where samples lie near whole pixels,
// above all before batch norms.
void check_curve_on(Device device, const std::string& name, double late_tolerance) {
  const nlohmann::json golden = golden_of(name);
  const drape::System& system = drape::find_system(name);
  const auto expected = golden.at("losses").get<std::vector<double>>();
  for (const DType dtype : {DType::f64, DType::f32}) {
    if (dtype == DType::f32 && device == Device::cuda && drape::tests::kEmulated) continue;
    CAPTURE(drape::name(dtype));
    Sequential model = prepared(system, dtype, device);
    const std::vector<double> losses = train(model, system, dtype, steps_on(device));
    for (std::size_t s = 0; s < losses.size(); ++s) {
      CAPTURE(s);
      const double tolerance = dtype == DType::f64 ? 1e-12 : s < 4 ? 1e-4 : late_tolerance;
      CHECK(losses[s] == Approx(expected[s]).epsilon(tolerance));
    }
    if (dtype == DType::f32 || losses.size() < expected.size()) continue;
    check_parameters(model, golden.at("parameters"));
    if (!golden.contains("running_mean_sums")) continue;
    check_running(model, golden.at("running_mean_sums"), "running_mean");
    check_running(model, golden.at("running_var_sums"), "running_var");
  }
}

void check_curve(const std::string& name, double late_tolerance = 1e-3) {
  for (const Device device : drape::tests::devices()) {
    CAPTURE(drape::name(device));
    check_curve_on(device, name, late_tolerance);
  }
}

}  // namespace

TEST_CASE("the standard CNN trains as in PyTorch") {
  check_curve("standard");
}

TEST_CASE("the deep CNN trains as in PyTorch") {
  check_curve("deep");
}

TEST_CASE("the dilated CNNs train as in PyTorch") {
  check_curve("dilated2");
  check_curve("dilated10");
}

TEST_CASE("the deformable CNN trains as in PyTorch") {
  check_curve("deformable");
}

TEST_CASE("the enhanced deformable CNN trains as in PyTorch") {
  check_curve("enhanced", 0.1);
}

TEST_CASE("the CNNs with MixUp train as in PyTorch") {
  check_curve("standard_mixup");
  if (drape::tests::kEmulated)  // where it would run the same kernels as the others, for long
    check_curve_on(Device::cpu, "deformable_mixup", 1e-3);
  else
    check_curve("deformable_mixup");
}

TEST_CASE("a weight that is off by a thousandth is seen in the curve") {
  const double expected = golden_of("standard").at("losses").at(0).get<double>();
  const drape::System& system = drape::find_system("standard");
  Sequential model = prepared(system, DType::f64);
  model.parameters().at(1).data<double>()[0] += 1e-3;
  CHECK(std::abs(train(model, system, DType::f64, 1)[0] / expected - 1.0) > 1e-9);
}
