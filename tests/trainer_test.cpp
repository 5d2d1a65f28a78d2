// The training loop: it learns, stops, survives what ends it, and repeats itself to the bit.
#include "optim/trainer.h"

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "data/synthetic.h"
#include "examples/experiment.h"
#include "kernels/parallel.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"

namespace {

using drape::EpochProgress;
using drape::Examples;
using drape::History;
using drape::Module;
using drape::Protocol;
using drape::Sequential;
using drape::Shape;
using drape::Standing;
using drape::StopReason;
using drape::StoredData;
using drape::Tensor;
using drape::TrainerOptions;
using drape::TrainResult;
using drape::tests::kNaN;

// 480 garments that train and 120 that validate.
struct Garments {
  Garments() {
    const StoredData data =
        drape::store(drape::synthetic_garments(5, 600, 10), 0, drape::Device::cpu);
    training = validation = {data.train_images, data.train_labels, {}, 10};
    for (std::int32_t i = 0; i < 600; ++i) (i < 480 ? training : validation).indices.push_back(i);
  }
  Examples training, validation;
};

// The smallest model that learns.
Sequential linear_model() {
  Sequential model;
  model.add("flatten", drape::Flatten()).add("linear", drape::Linear(28 * 28, 10));
  drape::Generator random(1, drape::Purpose::initialization);
  model.initialize(random);
  return model;
}

using Bits = std::vector<std::vector<float>>;

Bits bits(Module& model) {
  Bits all;
  for (const drape::NamedTensor& entry : model.state())
    all.push_back(entry.tensor.to_vector<float>());
  return all;
}

// Calls what it is given; notes the weights of the best epoch.
class Spy : public drape::Observer {
 public:
  explicit Spy(Module& model) : model_(model), best(bits(model)) {}

  void on_step(const EpochProgress& progress) override {
    ++steps;
    if (step) step(progress);
  }
  void on_epoch_end(const History& history, Standing standing) override {
    if (standing == Standing::best) best = bits(model_);
    if (epoch) epoch(history);
  }

 private:
  Module& model_;

 public:
  std::function<void(const EpochProgress&)> step;
  std::function<void(const History&)> epoch;
  Bits best;  // at first: the initial weights
  int steps = 0;
};

const std::atomic<bool> kNever{false};

TrainResult train(Module& model, const TrainerOptions& options, drape::Observer& observer,
                  const std::atomic<bool>& interrupted = kNever) {
  const Garments garments;
  return drape::train(model, garments.training, garments.validation, options, observer,
                      interrupted);
}

double validation_accuracy(Module& model) {
  const Garments garments;
  return evaluate(model, garments.validation, drape::Loss::softmax_cross_entropy).accuracy;
}

// A rate at which a linear model jumps about: early epochs beat later ones.
TrainerOptions restless() {
  return {.epochs = 60,
          .batch = 32,
          .optimizer = drape::OptimizerKind::sgd,
          .learning_rate = 0.5,
          .early_stopping{.patience = 3}};
}

}  // namespace

TEST_CASE("training learns") {
  Sequential model = linear_model();
  const double before = validation_accuracy(model);
  Spy spy(model);
  const TrainResult result = train(model, {.epochs = 6, .early_stopping{.patience = 0}}, spy);
  CHECK(result.stop_reason == StopReason::max_epochs);
  REQUIRE(result.history.size() == 6);
  CHECK(result.history[0].train_loss > result.history[5].train_loss);
  CHECK(result.history[5].train_accuracy > 0.6);
  CHECK(validation_accuracy(model) > before + 0.3);
  CHECK(spy.steps == 6 * 8);  // 480 images in batches of 64
  CHECK(result.images_per_second > 0.0);
}

TEST_CASE("every optimiser and every schedule learns") {
  using drape::OptimizerKind;
  using drape::ScheduleKind;
  for (const auto optimizer : {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd}) {
    for (const auto schedule : {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::cosine,
                                ScheduleKind::one_cycle}) {
      Sequential model = linear_model();
      Spy spy(model);
      const TrainResult result = train(model,
                                       {.epochs = 3,
                                        .optimizer = optimizer,
                                        .learning_rate = 0.005,
                                        .schedule = schedule,
                                        .weight_decay = 1e-4},
                                       spy);
      CHECK(result.history.back().train_loss < 0.95 * result.history.front().train_loss);
    }
  }
}

TEST_CASE("the learning rate follows its schedule step by step") {
  // The gradient of each weight is all but the same at every step: its length is its rate.
  Examples examples{Tensor::full({8, 1, 1, 1}, 255.0, drape::DType::u8),
                    Tensor::zeros({8}, drape::DType::u8),
                    {0, 1, 2, 3, 4, 5, 6, 7},
                    2};
  Sequential model;
  model.add("flatten", drape::Flatten()).add("linear", drape::Linear(1, 2));
  std::vector<double> weights;
  Spy spy(model);
  spy.step = [&](const EpochProgress&) {
    weights.push_back(model.parameters()[0].to_vector<float>()[0]);
  };
  const TrainResult result = drape::train(model, examples, examples,
                                          {.epochs = 2,
                                           .batch = 2,
                                           .optimizer = drape::OptimizerKind::sgd,
                                           .learning_rate = 0.01,
                                           .schedule = drape::ScheduleKind::cosine,
                                           .momentum = 0.0},
                                          spy, kNever);
  const drape::Schedule schedule{
      .kind = drape::ScheduleKind::cosine, .base = 0.01, .epochs = 2, .steps_per_epoch = 4};
  REQUIRE(result.history.size() == 2);
  for (const drape::EpochRecord& record : result.history)
    CHECK(record.learning_rate == schedule.at(4 * (record.epoch - 1)));
  REQUIRE(weights.size() == 8);
  for (std::size_t t = 0; t < 8; ++t) {
    const double step = weights[t] - (t == 0 ? 0.0 : weights[t - 1]);
    // d loss / d logit = p - 1, where p hardly leaves 1/2 at such rates.
    CHECK(step == Approx(0.5 * schedule.at(static_cast<std::int64_t>(t))).epsilon(0.05));
  }
}

TEST_CASE("early stopping ends a run and leaves the weights of its best epoch") {
  Sequential model = linear_model();
  Spy spy(model);
  const TrainResult result = train(model, restless(), spy);
  REQUIRE(result.stop_reason == StopReason::early_stopping);
  const auto epochs = static_cast<int>(result.history.size());
  CHECK(result.best_epoch == epochs - 3);
  CHECK(bits(model) == spy.best);
  const double best =
      result.history[static_cast<std::size_t>(result.best_epoch - 1)].validation_accuracy;
  CHECK(validation_accuracy(model) == best);
  for (const drape::EpochRecord& record : result.history) CHECK(record.validation_accuracy <= best);
}

TEST_CASE("the best epoch is that of the figure that is watched") {
  using drape::Monitor;
  std::set<int> best;
  for (const Monitor monitor : {Monitor::validation_accuracy, Monitor::validation_loss,
                                Monitor::train_accuracy, Monitor::train_loss}) {
    CAPTURE(name(monitor));
    Sequential model = linear_model();
    Spy spy(model);
    TrainerOptions options = restless();
    options.epochs = 12;
    options.early_stopping = {.monitor = monitor, .patience = 0};
    const TrainResult result = train(model, options, spy);
    int expected = 1;
    const auto figure = [&](int epoch) {
      const auto index = static_cast<std::size_t>(epoch - 1);
      const double value = monitored(result.history[index], monitor);
      return goal_of(monitor) == drape::Goal::maximize ? value : -value;
    };
    for (int epoch = 2; epoch <= 12; ++epoch)
      if (figure(epoch) > figure(expected)) expected = epoch;
    CHECK(result.best_epoch == expected);
    best.insert(expected);
  }
  CHECK(best.size() >= 3);  // the control: figures are best in different epochs
}

TEST_CASE("an interruption leaves the weights of the best epoch so far") {
  for (const int epoch : {1, 4}) {
    CAPTURE(epoch);
    Sequential model = linear_model();
    Spy spy(model);
    std::atomic<bool> interrupted{false};
    spy.step = [&](const EpochProgress& progress) {
      if (progress.epoch == epoch && progress.images >= 96) interrupted = true;
    };
    const TrainResult result = train(model, restless(), spy, interrupted);
    CHECK(result.stop_reason == StopReason::interrupted);
    CHECK(result.history.size() == static_cast<std::size_t>(epoch - 1));
    CHECK(spy.steps == 15 * (epoch - 1) + 3);  // not one step more
    CHECK((result.best_epoch == 0) == (epoch == 1));
    CHECK(bits(model) == spy.best);
  }
}

TEST_CASE("an exception leaves the weights of the best epoch so far") {
  Sequential model = linear_model();
  Spy spy(model);
  spy.step = [](const EpochProgress& progress) {
    if (progress.epoch == 4) throw drape::Error("disk full");
  };
  CHECK_THROWS_WITH(train(model, restless(), spy), "disk full");
  CHECK(bits(model) == spy.best);
}

TEST_CASE("a loss that is not finite ends the run and names its epoch, step and tensor") {
  Sequential model = linear_model();
  Spy spy(model);
  spy.step = [&](const EpochProgress& progress) {
    if (progress.epoch == 2 && progress.images == 128)
      model.parameters()[1].data<float>()[3] = kNaN;
  };
  const TrainResult result = train(model, {.epochs = 5}, spy);
  CHECK(result.stop_reason == StopReason::diverged);
  CHECK(result.divergence ==
        "train: expected a finite loss, got nan in epoch 2, step 3; not finite: linear.bias");
  CHECK(result.history.size() == 1);
  CHECK(result.best_epoch == 1);
  CHECK(bits(model) == spy.best);
}

TEST_CASE("a learning rate that is too high diverges instead of going on") {
  Sequential model = linear_model();
  Spy spy(model);
  TrainerOptions options = restless();
  options.learning_rate = 1e38;
  const TrainResult result = train(model, options, spy);
  CHECK(result.stop_reason == StopReason::diverged);
  CHECK_THAT(result.divergence, ContainsSubstring("epoch 1, step "));
}

TEST_CASE("the same seed trains the same bits with any number of threads") {
  const int before = drape::kernels::thread_count();
  const StoredData data = drape::store(drape::synthetic_garments(5, 50, 10), 0, drape::Device::cpu);
  const drape::Selection selection = select_examples(data, Protocol::held_out, 1);
  const auto trained = [&](int threads, std::uint64_t seed) {
    drape::kernels::set_thread_count(threads);
    Sequential model = drape::build_network({.architecture = drape::Architecture::enhanced});
    drape::Generator random(1, drape::Purpose::initialization);
    model.initialize(random);
    Spy spy(model);
    drape::train(model, selection.training, selection.validation,
                 {.epochs = 2, .batch = 16, .mixup_alpha = 1.0, .seed = seed}, spy, kNever);
    return bits(model);
  };
  const Bits expected = trained(1, 7);
  CHECK(trained(1, 7) == expected);
  CHECK(trained(2, 7) == expected);
  CHECK(trained(4, 7) == expected);
  CHECK(trained(1, 8) != expected);  // the control
  drape::kernels::set_thread_count(before);
}

TEST_CASE("MixUp trains with binary cross-entropy and still counts accuracy by the primary label") {
  Sequential model = linear_model();
  Spy spy(model);
  const TrainResult result =
      train(model, {.epochs = 6, .learning_rate = 0.01, .mixup_alpha = 1.0}, spy);
  CHECK(result.history[0].validation_loss < 0.6931);  // ln 2, what equal logits give per class
  CHECK(result.history[5].train_accuracy > 0.3);      // chance: 0.1
  CHECK(result.history[5].validation_accuracy > 0.4);
}

TEST_CASE("training keeps no tensor alive but the model's") {
  const Garments garments;
  Sequential model = linear_model();
  Spy spy(model);
  const std::int64_t before = drape::live_storages();
  drape::train(model, garments.training, garments.validation, {.epochs = 2}, spy, kNever);
  CHECK(drape::live_storages() == before);
}

TEST_CASE("training refuses options that make no sense") {
  Sequential model = linear_model();
  Spy spy(model);
  const auto error = [&](const TrainerOptions& options) {
    return drape::tests::error_of([&] { train(model, options, spy); });
  };
  CHECK(error({.epochs = 0}) == "train: expected epochs >= 1, got 0");
  CHECK_THAT(error({.batch = 0}), ContainsSubstring(">= 1, got 0"));
  CHECK_THAT(error({.learning_rate = -1.0}), ContainsSubstring("learning rate > 0, got -1"));
  CHECK_THAT(error({.learning_rate = kNaN}), ContainsSubstring("learning rate"));
  CHECK_THAT(error({.mixup_alpha = -1.0}), ContainsSubstring("alpha"));
  const Garments garments;
  Examples none = garments.training;
  none.indices.clear();
  CHECK_THROWS_AS(drape::train(model, none, garments.validation, {}, spy, kNever), drape::Error);
  CHECK_THROWS_AS(drape::train(model, garments.training, none, {}, spy, kNever), drape::Error);
}

TEST_CASE("an evaluation counts what each class is taken for") {
  // The logits are the ten pixels: the brightest is the prediction, the first among equals.
  const std::vector<std::uint8_t> pixels{9, 0, 0, 0, 0, 0, 0, 0, 0, 0,    //
                                         0, 5, 0, 0, 5, 0, 0, 0, 0, 0,    //
                                         0, 0, 0, 0, 0, 0, 0, 0, 0, 255,  //
                                         1, 2, 3, 4, 5, 6, 7, 8, 9, 0};
  const Examples examples{Tensor::from(Shape{4, 1, 10, 1}, pixels),
                          Tensor::from(Shape{4}, std::vector<std::uint8_t>{0, 4, 9, 8}),
                          {3, 0, 1, 2},
                          10};
  Sequential identity;
  identity.add("flatten", drape::Flatten());
  const drape::Evaluation evaluation =
      evaluate(identity, examples, drape::Loss::softmax_cross_entropy);
  CHECK(evaluation.predictions == std::vector<std::int32_t>{8, 0, 1, 9});
  CHECK(evaluation.accuracy == 0.75);
  CHECK(evaluation.confusion[4][1] == 1);
  CHECK(evaluation.confusion[9][9] == 1);
  CHECK(evaluation.confusion[1][4] == 0);
  CHECK_THROWS_AS(evaluate(identity, {examples.images, examples.labels, {}, 10},
                           drape::Loss::softmax_cross_entropy),
                  drape::Error);
}

TEST_CASE("an evaluation of several batches keeps predictions at their images") {
  constexpr std::int32_t kCount = 1201;
  Examples examples{Tensor::zeros({kCount, 1, 3, 1}, drape::DType::u8),
                    Tensor::zeros({kCount}, drape::DType::u8),
                    {},
                    3};
  std::vector<std::int32_t> expected;
  for (std::int32_t i = 0; i < kCount; ++i) {
    const std::int32_t label = i * i / 7 % 3;
    examples.indices.push_back(i);
    examples.images.data<std::uint8_t>()[3 * i + label] = 255;
    examples.labels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(label);
    expected.push_back(label);
  }
  Sequential identity;
  identity.add("flatten", drape::Flatten());
  const drape::Evaluation evaluation =
      evaluate(identity, examples, drape::Loss::softmax_cross_entropy);
  CHECK(evaluation.predictions == expected);
  CHECK(evaluation.accuracy == 1.0);
}

TEST_CASE("logits that are not numbers are never right") {
  Sequential model = linear_model();
  for (const drape::NamedTensor& entry : model.state()) {
    Tensor tensor = entry.tensor;
    tensor.assign(Tensor::full(tensor.shape(), kNaN));
  }
  CHECK(validation_accuracy(model) == 0.0);
}
