// What training can be told besides its optimiser: clipping, averaging, smoothing, pieces, and the
// search for a learning rate.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "data/synthetic.h"
#include "examples/experiment.h"
#include "layers/batch_norm.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/relu.h"
#include "optim/learning_rate_search.h"
#include "optim/not_finite.h"
#include "optim/sgd.h"
#include "optim/trainer.h"
#include "optim/weight_average.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/data_helpers.h"

namespace drape::tests {
namespace {

const std::atomic<bool> kNever{false};

// 96 garments that train, 24 that validate.
struct Garments {
  Garments() {
    const StoredData data = store(synthetic_garments(5, 120, 10), 0, Device::cpu);
    training = validation = {data.train_images, data.train_labels, {}, kClasses};
    for (std::int32_t i = 0; i < 120; ++i) (i < 96 ? training : validation).indices.push_back(i);
  }
  Examples training, validation;
};

Sequential small_model(DType dtype = DType::f32) {
  Sequential model;
  model.add("flatten", Flatten())
      .add("hidden", Linear(28 * 28, 16))
      .add("relu", Relu())
      .add("linear", Linear(16, kClasses));
  Generator random(1, Purpose::initialization);
  model.initialize(random);
  model.to(dtype);
  return model;
}

std::vector<double> weights(Module& model) {
  std::vector<double> all;
  for (const NamedTensor& entry : model.state()) {
    const std::vector<double> some = values(entry.tensor);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

struct Trained {
  TrainResult result;
  std::vector<double> weights;
};

Trained trained(const TrainerOptions& options, DType dtype = DType::f64) {
  const Garments garments;
  Sequential model = small_model(dtype);
  Observer silent;
  TrainResult result =
      train(model, garments.training, garments.validation, options, silent, kNever);
  return {std::move(result), weights(model)};
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// A parameter with a gradient.
Tensor with_gradient(const std::vector<double>& gradient) {
  const Shape shape{static_cast<std::int64_t>(gradient.size())};
  Tensor w = Tensor::zeros(shape, DType::f64);
  w.track();
  backward(
      record(Tensor::zeros(shape, DType::f64), {w}, [](const Tensor& dy) -> Grads { return {dy}; }),
      Tensor::from(shape, gradient));
  return w;
}

}  // namespace

TEST_CASE("gradients are shortened together to the norm, and short ones are left alone") {
  const Tensor a = with_gradient({3.0, 0.0}), b = with_gradient({0.0, 4.0, 12.0});  // norm 13
  Sgd optimizer({a, b}, {});
  optimizer.clip_gradients(6.5);
  CHECK(values(a.grad())[0] == Approx(1.5));
  CHECK(values(b.grad())[2] == Approx(6.0));
  optimizer.clip_gradients(7.0);
  CHECK(values(b.grad())[1] == Approx(2.0));
  CHECK_THROWS_WITH(optimizer.clip_gradients(0.0), ContainsSubstring("> 0, got 0"));
}

TEST_CASE("a gradient longer than a chunk is shortened whole") {
  const Tensor a = with_gradient(std::vector<double>(40'000, 0.01));  // norm 2
  Sgd({a}, {}).clip_gradients(1.0);
  const std::vector<double> g = values(a.grad());
  CHECK(g.front() == Approx(0.005));
  CHECK(g.back() == Approx(0.005));
  CHECK(g[16'384] == Approx(0.005));
}

TEST_CASE("clipped training takes shorter steps") {
  const TrainerOptions options{.epochs = 1,
                               .batch = 32,
                               .optimizer = OptimizerKind::sgd,
                               .learning_rate = 1.0,
                               .momentum = 0.0};
  TrainerOptions clipped = options;
  clipped.clip_norm = 1e-3;
  Sequential model = small_model(DType::f64);
  const std::vector<double> before = weights(model);
  CHECK(largest_difference(trained(clipped).weights, before) <= 3 * 1e-3);  // three steps
  CHECK(largest_difference(trained(options).weights, before) > 1e-2);
}

TEST_CASE("a batch in pieces trains what it trains whole") {
  for (const double alpha : {0.0, 1.0}) {
    TrainerOptions options{.epochs = 2, .batch = 40, .mixup_alpha = alpha, .label_smoothing = 0.1};
    const Trained whole = trained(options);
    for (const int pieces : {2, 3, 40}) {
      options.pieces = pieces;
      const Trained cut = trained(options);
      CHECK(largest_difference(cut.weights, whole.weights) < 1e-10);
      CHECK(cut.result.history.back().train_loss ==
            Approx(whole.result.history.back().train_loss).epsilon(1e-10));
    }
  }
}

TEST_CASE("batch norm sees a piece of a batch alone") {
  const Garments garments;
  const auto trained_with = [&](int pieces) {
    Sequential model;
    model.add("flatten", Flatten())
        .add("norm", BatchNorm(28 * 28))
        .add("linear", Linear(28 * 28, kClasses));
    Generator random(1, Purpose::initialization);
    model.initialize(random);
    model.to(DType::f64);
    Observer silent;
    train(model, garments.training, garments.validation,
          {.epochs = 1, .batch = 40, .pieces = pieces}, silent, kNever);
    return weights(model);
  };
  const std::vector<double> whole = trained_with(1);
  CHECK(largest_difference(trained_with(2), whole) > 1e-3);
  CHECK(largest_difference(trained_with(1), whole) == 0.0);  // the control
}

TEST_CASE("a moving average follows its formula, and changes places with the weights") {
  Sequential model;
  model.add("linear", Linear(1, 1));
  model.to(DType::f64);
  Sgd optimizer(model.parameters(), {});
  std::vector<Tensor> parameters = model.parameters();
  parameters[0].assign(Tensor::full({1, 1}, 1.0, DType::f64));
  WeightAverage average(model, optimizer, 0.75);
  parameters[0].assign(Tensor::full({1, 1}, 2.0, DType::f64));
  average.update();
  CHECK(average.tensors()[0].first == "average.linear.weight");
  CHECK(average.tensors()[0].second.item() == 1.25);
  average.exchange();
  CHECK(parameters[0].item() == 1.25);
  CHECK(average.tensors()[0].second.item() == 2.0);
  CHECK_THROWS_WITH(WeightAverage(model, optimizer, 1.0), ContainsSubstring("between 0 and 1"));
}

TEST_CASE("what an averaged run ends with is the average of its steps") {
  // One epoch of four steps: averaged by hand from the weights after each.
  const Garments garments;
  TrainerOptions options{.epochs = 1, .batch = 24, .learning_rate = 1e-2, .average_decay = 0.5};
  class Steps : public Observer {
   public:
    explicit Steps(Module& model) : model_(model) {}
    void on_step(const EpochProgress&) override { after.push_back(weights(model_)); }
    std::vector<std::vector<double>> after;

   private:
    Module& model_;
  };
  Sequential model = small_model(DType::f64);
  std::vector<double> expected = weights(model);
  Steps steps(model);
  train(model, garments.training, garments.validation, options, steps, kNever);
  REQUIRE(steps.after.size() == 4);
  for (const std::vector<double>& step : steps.after) {
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] = 0.5 * expected[i] + 0.5 * step[i];
  }
  CHECK(largest_difference(weights(model), expected) < 1e-15);
}

TEST_CASE("an average does not change how weights move") {
  TrainerOptions options{.epochs = 3, .batch = 24, .early_stopping{.patience = 0}};
  const History plain = trained(options).result.history;
  options.average_decay = 0.9;
  const History averaged = trained(options).result.history;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CHECK(averaged[i].train_loss == plain[i].train_loss);
    CHECK(averaged[i].validation_loss != plain[i].validation_loss);
  }
}

TEST_CASE("augmented training learns, and in f32 repeats itself to the bit") {
  const TrainerOptions options{
      .epochs = 2, .augmentation{.shift = 2, .mirroring = Mirroring::half, .erase = 0.5}};
  const Trained first = trained(options, DType::f32);
  CHECK(first.weights == trained(options, DType::f32).weights);
  TrainerOptions plain = options;
  plain.augmentation = {};
  CHECK(first.weights != trained(plain, DType::f32).weights);
}

TEST_CASE("options of training that make no sense are named") {
  const auto error = [](const TrainerOptions& options) {
    return error_of([&] { trained(options); });
  };
  CHECK_THAT(error({.label_smoothing = 1.0}),
             ContainsSubstring("label smoothing in [0, 1), got 1"));
  CHECK_THAT(error({.clip_norm = -1.0}), ContainsSubstring("clip gradients to, got -1"));
  CHECK_THAT(error({.average_decay = 1.0}), ContainsSubstring("average in [0, 1), got 1"));
  CHECK_THAT(error({.pieces = 0}), ContainsSubstring("pieces >= 1, got 0"));
  CHECK_THAT(error({.augmentation{.shift = 30}}), ContainsSubstring("less than the image"));
}

TEST_CASE("a run that diverges names the first layer whose output is not finite") {
  TrainerOptions options{.epochs = 1,
                         .batch = 32,
                         .optimizer = OptimizerKind::sgd,
                         .learning_rate = 1e30,
                         .momentum = 0.0};
  const Trained run = trained(options, DType::f32);
  CHECK(run.result.stop_reason == StopReason::diverged);
  // The first step makes weights of 1e28 or so: sums of products of two of them overflow.
  CHECK_THAT(run.result.divergence,
             ContainsSubstring("in epoch 1, step 2; not finite: the output of linear"));
}

TEST_CASE("of layers whose output is not finite the first one is named") {
  const Tensor x = Tensor::full({1, 28, 28, 1}, 1.0);
  Sequential model = small_model();
  CHECK(first_not_finite_output(model, x, 0).empty());
  const auto overflow = [&](const std::string& name) {
    for (auto& [own, tensor] : model.tensors())
      if (own == name) Tensor(tensor).assign(Tensor::full(tensor.shape(), 3e38));
  };
  overflow("linear.bias");
  overflow("linear.weight");
  CHECK(first_not_finite_output(model, x, 0) == "the output of linear");
  overflow("hidden.weight");
  CHECK(first_not_finite_output(model, x, 0) == "the output of hidden");
}

TEST_CASE("a search for a learning rate leaves a model as it was, and finds a useful one") {
  const Garments garments;
  for (const DType dtype : {DType::f32, DType::f64}) {
    Sequential model = small_model(dtype);
    const std::vector<double> before = weights(model);
    const RateFinding finding =
        search_learning_rate(model, garments.training, {.batch = 16},
                             {.lowest = 1e-6, .highest = 1e4, .steps = 60}, kNever);
    CHECK(weights(model) == before);
    REQUIRE(finding.trials.size() > 20);
    CHECK(finding.trials.front().rate == 1e-6);
    CHECK(finding.trials.front().loss == finding.trials.front().smoothed);
    CHECK(finding.trials[1].rate / finding.trials[0].rate ==
          Approx(finding.trials[20].rate / finding.trials[19].rate));
    CHECK(finding.steepest > 1e-5);
    CHECK(finding.steepest < 1.0);
    // It gave up where the loss had grown too large.
    CHECK(finding.trials.size() < 60);
  }
}

TEST_CASE("a search for a learning rate sees every class, however the images lie") {
  Examples examples{Tensor::zeros({100, 28, 28, 1}, DType::u8), {}, {}, kClasses};
  std::vector<std::uint8_t> labels(50, 0);
  labels.resize(100, 1);
  examples.labels = Tensor::from({100}, labels);
  examples.indices.resize(100);
  std::iota(examples.indices.begin(), examples.indices.end(), 0);
  Sequential model = small_model();
  for (auto& [name, tensor] : model.tensors()) {  // makes one class likelier than the other
    if (name == "linear.bias")
      Tensor(tensor).assign(
          Tensor::from({kClasses}, std::vector<float>{0, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
  }
  const RateFinding finding = search_learning_rate(
      model, examples, {.batch = 1}, {.lowest = 1e-9, .highest = 1e-8, .steps = 10}, kNever);
  std::set<double> losses;
  for (const RateTrial& trial : finding.trials) losses.insert(std::round(10.0 * trial.loss));
  CHECK(losses.size() == 2);
}

TEST_CASE("a search for a learning rate names what makes no sense") {
  const Garments garments;
  Sequential model = small_model();
  const auto error = [&](const RateRange& range) {
    return error_of([&] { search_learning_rate(model, garments.training, {}, range, kNever); });
  };
  CHECK_THAT(error({.lowest = 0.0}), ContainsSubstring("0 < lowest < highest"));
  CHECK_THAT(error({.lowest = 1.0, .highest = 0.5}), ContainsSubstring("got 1 and 0.5"));
  CHECK_THAT(error({.steps = 2}), ContainsSubstring("at least 10 steps, got 2"));
}

}  // namespace drape::tests
