// Losses: PyTorch's numbers, extreme logits; and the count behind accuracy.
#include "layers/losses.h"

#include <cmath>
#include <vector>

#include "core/gradient_check.h"
#include "core/placed.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/devices.h"
#include "tests/goldens.h"

namespace drape::tests {
namespace {

using LossFunction = Tensor (*)(const Tensor&, const Tensor&, const Scores&);

// The loss and its gradient times `factor`.
Differentiated differentiate_loss(LossFunction loss, const Tensor& logits, const Tensor& targets,
                                  double factor = 1.0) {
  const std::vector<Tensor> inputs{logits};
  return differentiate([&](std::span<const Tensor> in) { return loss(in[0], targets, {}); }, inputs,
                       Tensor::full({}, factor, logits.dtype()));
}

}  // namespace

TEST_CASE("losses equal PyTorch's", "[losses]") {
  for (const auto& golden : golden_cases("losses")) {
    INFO(golden.at("name"));
    const LossFunction loss =
        golden.at("op") == "softmax_cross_entropy" ? softmax_cross_entropy : bce_with_logits;
    const Tensor logits = golden_tensor(golden.at("logits"));
    const Tensor targets = golden_tensor(golden.at("target"));
    const Differentiated got = differentiate_loss(loss, logits, targets);
    CHECK(got.y.shape() == Shape());
    CHECK(got.y.item() == Approx(golden.at("loss").get<double>()).epsilon(1e-13));
    CHECK(difference(got.grads[0], golden_tensor(golden.at("dlogits"))) < 1e-14);
    CHECK(difference(differentiate_loss(loss, logits, targets, -2.5).grads[0],
                     golden_tensor(golden.at("dlogits"))) ==
          Approx(3.5 * largest(golden_tensor(golden.at("dlogits")))));
    const Tensor rounded = loss(logits.to(DType::f32), targets.to(DType::f32), {});
    CHECK(rounded.item() == Approx(golden.at("loss").get<double>()).epsilon(1e-6));
  }
}

TEST_CASE("softmax cross-entropy of equal logits is log K, and does not see a common shift",
          "[losses]") {
  const std::vector<double> one_hot{0, 1, 0, 0, 1, 0};
  for (const double shift : {0.0, 1e3, -1e6}) {
    const Tensor logits = Tensor::full({2, 3}, shift, DType::f64);
    CHECK(softmax_cross_entropy(logits, Tensor::from({2, 3}, one_hot)).item() ==
          Approx(std::log(3.0)));
  }
}

TEST_CASE("losses stay finite for huge logits of f32", "[losses]") {
  const Tensor logits = Tensor::from({1, 3}, std::vector<float>{3e38f, -3e38f, 0.0f});
  const Tensor targets = Tensor::from({1, 3}, std::vector<float>{1.0f, 0.0f, 0.0f});
  for (const LossFunction loss : {softmax_cross_entropy, bce_with_logits}) {
    const Differentiated got = differentiate_loss(loss, logits, targets);
    CHECK(got.y.item() == Approx(loss == bce_with_logits ? std::log(2.0) / 3.0 : 0.0).margin(1e-7));
    CHECK(std::isfinite(largest(got.grads[0])));
  }
}

TEST_CASE("losses have the right gradient for targets that do not add up to one", "[losses]") {
  const std::vector<Tensor> logits{noise({2, 3}, {1, 2})};
  const Tensor targets = noise({2, 3}, {1, 3});
  for (const LossFunction loss : {softmax_cross_entropy, bce_with_logits}) {
    const Function f = [&](std::span<const Tensor> in) { return loss(in[0], targets, {}); };
    CHECK(jacobian_error(f, logits) == "");
  }
}

TEST_CASE("losses let NaN through", "[losses]") {
  const Tensor logits = Tensor::from({1, 2}, std::vector<float>{0.0f, NAN});
  const Tensor targets = Tensor::from({1, 2}, std::vector<float>{1.0f, 0.0f});
  CHECK(std::isnan(softmax_cross_entropy(logits, targets).item()));
  CHECK(std::isnan(bce_with_logits(logits, targets).item()));
}

TEST_CASE("a loss of many rows is the mean of theirs", "[losses]") {
  const Tensor logits = noise({3001, 5}, {1, 2}), targets = noise({3001, 5}, {1, 3});
  const std::vector<double> z = values(logits), t = values(targets);
  for (const LossFunction loss : {softmax_cross_entropy, bce_with_logits}) {
    double sum = 0.0;
    for (std::size_t n = 0; n < 3001; ++n) {
      const auto row = [&](const std::vector<double>& of) {
        const auto begin = of.begin() + static_cast<std::ptrdiff_t>(5 * n);
        return Tensor::from({1, 5}, std::vector<double>(begin, begin + 5));
      };
      sum += loss(row(z), row(t), {}).item();
    }
    CHECK(loss(logits, targets, {}).item() == Approx(sum / 3001.0).epsilon(1e-12));
  }
}

TEST_CASE("losses name what does not fit", "[losses]") {
  const Tensor logits = Tensor::zeros({2, 3});
  Tensor tracked = Tensor::zeros({2, 3});
  tracked.track();
  CHECK_THROWS_WITH(softmax_cross_entropy(logits, Tensor::zeros({2, 4})),
                    "softmax_cross_entropy: expected targets [2,3], got [2,4]");
  CHECK_THROWS_WITH(bce_with_logits(logits, tracked),
                    "bce_with_logits: expected targets without history, got tracked ones");
  CHECK_THROWS_WITH(bce_with_logits(Tensor::zeros({0, 3}), Tensor::zeros({0, 3})),
                    "bce_with_logits: expected logits [N,K] with N, K >= 1, got [0,3]");
  CHECK_THROWS_AS(softmax_cross_entropy(Tensor::zeros({3}), Tensor::zeros({3})), Error);
}

TEST_CASE("a backward pass that begins at a loss takes its gradient as it is", "[losses]") {
  Tensor logits = noise({3, 4}, {1, 2}), same = logits.clone();
  const Tensor targets = noise({3, 4}, {1, 3});
  logits.track(), same.track();
  backward(softmax_cross_entropy(logits, targets));
  backward(softmax_cross_entropy(same, targets), Tensor::full({}, 1.0, DType::f64));
  CHECK(same_bits(logits.grad(), same.grad()));
  CHECK(largest(logits.grad()) > 0.0);
}

TEST_CASE("a prediction is the first largest logit, and none where one is NaN", "[losses]") {
  for (const Device device : devices()) {
    const auto predicted = [&](const std::vector<float>& logits) {
      Tensor of_rows = Tensor::from({3}, std::vector<std::int32_t>{77, 77, 77}).to(device);
      softmax_cross_entropy(Tensor::from({1, 3}, logits).to(device),
                            Tensor::zeros({1, 3}, DType::f32, device),
                            {.predictions = of_rows, .first = 1});
      const std::vector<std::int32_t> all = of_rows.to_vector<std::int32_t>();
      CHECK((all[0] == 77 && all[2] == 77));
      return all[1];
    };
    CHECK(predicted({1, 3, 2}) == 1);
    CHECK(predicted({2, 2, 2}) == 0);
    CHECK(predicted({1, 2, 2}) == 1);
    CHECK(predicted({1, 3, NAN}) == -1);
    CHECK(predicted({NAN, 3, 1}) == -1);
  }
}

TEST_CASE("a loss adds itself and the right predictions to the progress of a run", "[losses]") {
  const std::vector<float> logits{1, 2, 3, 4, 6, 5};
  for (const Device device : devices()) {
    Placed<kernels::Progress> progress(device, {.step = 4});
    const auto step = [&](const std::vector<float>& z, const std::vector<std::uint8_t>& labels) {
      return softmax_cross_entropy(
                 Tensor::from({2, 3}, z).to(device), Tensor::full({2, 3}, 1.0 / 3.0).to(device),
                 {.labels = Tensor::from({2}, labels).to(device), .progress = progress.address()})
          .item();
    };
    double sum = 2.0 * step(logits, {3, 1});  // 3 is no class
    sum += 2.0 * step(logits, {2, 1});
    CHECK(progress.read().loss_sum == sum);
    CHECK(progress.read().images == 4);
    CHECK(progress.read().correct == 3);
    CHECK(progress.read().failed_step == 0);
    step({1, 2, INFINITY, 4, 6, 5}, {1, 1});
    step(logits, {2, 1});
    CHECK(progress.read().failed_step == 5);
    CHECK(std::isnan(progress.read().failed_loss));
    CHECK(progress.read().images == 4);
    CHECK(progress.read().loss_sum == sum);
  }
}

TEST_CASE("losses refuse labels and predictions that do not fit", "[losses]") {
  const Tensor logits = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH(
      softmax_cross_entropy(logits, logits, {.labels = Tensor::zeros({3}, DType::u8)}),
      "softmax_cross_entropy: expected labels [2], got [3]");
  CHECK_THROWS_WITH(
      bce_with_logits(logits, logits, {.predictions = Tensor::zeros({3}, DType::i32), .first = 2}),
      "bce_with_logits: expected room for 2 predictions from 2 on, got [3]");
  CHECK_THROWS_WITH(
      bce_with_logits(logits, logits, {.predictions = Tensor::zeros({3}, DType::i32), .first = -2}),
      "bce_with_logits: expected room for 2 predictions from -2 on, got [3]");
}

}  // namespace drape::tests
