// The training loop: it learns, stops, survives what ends it, and repeats itself to the bit.
#include "optim/trainer.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "core/checkpoint.h"
#include "data/synthetic.h"
#include "examples/experiment.h"
#include "examples/machine.h"
#include "kernels/parallel.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/skip.h"

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
  Sequential model = linear_model();
  Spy spy(model);
  const TrainResult result = train(
      model, {.epochs = 4, .learning_rate = 0.01, .schedule = drape::ScheduleKind::cosine}, spy);
  const drape::Schedule schedule{
      .kind = drape::ScheduleKind::cosine, .base = 0.01, .epochs = 4, .steps_per_epoch = 8};
  for (const drape::EpochRecord& record : result.history)
    CHECK(record.learning_rate == schedule.at(8 * (record.epoch - 1)));
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

TEST_CASE("logits that are not numbers are never right") {
  Sequential model = linear_model();
  for (const drape::NamedTensor& entry : model.state()) {
    Tensor tensor = entry.tensor;
    tensor.assign(Tensor::full(tensor.shape(), kNaN));
  }
  CHECK(validation_accuracy(model) == 0.0);
}

TEST_CASE("held_out validates on a stratified twelfth, published on the test images") {
  const StoredData data =
      drape::store(drape::synthetic_garments(5, 240, 30), 0, drape::Device::cpu);
  const drape::Selection held_out = select_examples(data, Protocol::held_out, 3);
  CHECK(held_out.training.size() == 220);
  CHECK(held_out.validation.size() == 20);
  REQUIRE(held_out.test);
  CHECK(held_out.test->size() == 30);
  std::set<std::int32_t> all(held_out.training.indices.begin(), held_out.training.indices.end());
  all.insert(held_out.validation.indices.begin(), held_out.validation.indices.end());
  CHECK(all.size() == 240);
  CHECK(select_examples(data, Protocol::held_out, 4).validation.indices !=
        held_out.validation.indices);

  const drape::Selection published = select_examples(data, Protocol::published, 3);
  CHECK(published.training.size() == 240);
  CHECK(published.validation.size() == 30);
  CHECK(published.validation.images.data<std::uint8_t>() == data.test_images.data<std::uint8_t>());
  CHECK_FALSE(published.test);
}

TEST_CASE("a limit takes the first training images and leaves the test images") {
  const drape::DataSet garments = drape::synthetic_garments(5, 240, 30);
  const StoredData all = drape::store(garments, 0, drape::Device::cpu);
  const StoredData few = drape::store(garments, 50, drape::Device::cpu);
  CHECK(few.train_labels.size() == 50);
  CHECK(few.test_labels.size() == 30);
  CHECK(all.whole);
  CHECK_FALSE(few.whole);
  CHECK(drape::store(garments, 1000, drape::Device::cpu).train_labels.size() == 240);
  CHECK_THROWS_WITH(
      select_examples(drape::store(garments, 1, drape::Device::cpu), Protocol::held_out, 0),
      "data: expected at least two training images, got 1");
}

TEST_CASE("the held-out protocol looks at the test images once, after the last epoch") {
  const drape::tests::TemporaryFolder folder;
  const StoredData data = drape::store(drape::synthetic_garments(5, 96, 20), 0, drape::Device::cpu);
  Tensor labels = data.test_labels;
  const std::vector<std::uint8_t> right = labels.to_vector<std::uint8_t>();
  labels.assign(
      Tensor::from(Shape{20}, std::vector<std::uint8_t>(20, 99)));  // reading these throws
  const drape::Experiment experiment{
      "standard", {}, {.epochs = 2}, Protocol::held_out, folder / "run"};
  Sequential unused = linear_model();
  Spy spy(unused);
  CHECK_THROWS_AS(run_experiment(experiment, data, spy, kNever), drape::Error);  // the control

  spy.epoch = [&](const History& history) {
    const drape::RunResult so_far = drape::read_run(folder / "run");
    CHECK(so_far.stop_reason == "unfinished");
    CHECK(so_far.history == history);
    CHECK_FALSE(so_far.test_accuracy);
    if (history.size() == 2) labels.assign(Tensor::from(Shape{20}, right));
  };
  const drape::Outcome outcome = run_experiment(experiment, data, spy, kNever);
  REQUIRE(outcome.run);
  CHECK(outcome.run->test_accuracy);
  CHECK(*outcome.run == drape::read_run(folder / "run"));
}

TEST_CASE("an experiment's files hold its result and its best weights") {
  const drape::tests::TemporaryFolder folder;
  const StoredData data = drape::store(drape::synthetic_garments(5, 96, 20), 0, drape::Device::cpu);
  drape::Observer silent;
  const drape::Experiment experiment{"deep",
                                     {.architecture = drape::Architecture::deep},
                                     {.epochs = 3, .seed = 4},
                                     Protocol::published,
                                     folder / "run"};
  const drape::Outcome outcome = run_experiment(experiment, data, silent, kNever);
  REQUIRE(outcome.run);
  const drape::RunResult run = drape::read_run(folder / "run");
  CHECK(run == *outcome.run);
  CHECK(run.system == "deep");
  CHECK(run.commit == drape::build_commit());
  CHECK(run.protocol == "published");
  CHECK(run.seed == 4);
  CHECK(run.stop_reason == "max_epochs");
  CHECK(run.parameters == 1'994'890);
  CHECK(run.synthetic);
  CHECK_FALSE(run.test_accuracy);
  CHECK(run.peak_memory_bytes > 1'994'890 * 4);

  const drape::Weights weights = drape::load_weights(folder / "run/weights.safetensors");
  CHECK(weights.metadata.at("epoch") == std::to_string(run.best_epoch));
  Sequential model = drape::build_network(experiment.network);
  drape::NamedTensors targets;
  for (const drape::NamedTensor& entry : model.state())
    targets.emplace_back(entry.name, entry.tensor);
  assign_weights(weights, targets);
  const Examples validation = select_examples(data, Protocol::published, 4).validation;
  const drape::Evaluation evaluation =
      evaluate(model, validation, drape::Loss::softmax_cross_entropy);
  CHECK(evaluation.accuracy == run.best_validation_accuracy);
  CHECK(evaluation.confusion == run.confusion);
}

TEST_CASE("an experiment's peak memory leaves out what was done with before") {
  if (drape::tests::kSanitized) return drape::tests::skip("a sanitizer holds memory back");
  constexpr std::int64_t kEarlier = 1 << 29;  // bytes, several times what the experiment needs
  Tensor::zeros({kEarlier}, drape::DType::u8);
  const drape::tests::TemporaryFolder folder;
  const StoredData data = drape::store(drape::synthetic_garments(5, 96, 20), 0, drape::Device::cpu);
  drape::Observer silent;
  const drape::Outcome outcome = run_experiment(
      {"standard", {}, {.epochs = 1}, Protocol::held_out, folder / "run"}, data, silent, kNever);
  REQUIRE(outcome.run);
  CHECK(outcome.run->peak_memory_bytes < kEarlier);
}

TEST_CASE("an experiment that finishes no epoch writes nothing") {
  const drape::tests::TemporaryFolder folder;
  const StoredData data = drape::store(drape::synthetic_garments(5, 96, 20), 0, drape::Device::cpu);
  drape::Observer silent;
  const std::atomic<bool> interrupted{true};
  const drape::Outcome outcome = run_experiment(
      {"standard", {}, {}, Protocol::held_out, folder / "run"}, data, silent, interrupted);
  CHECK(outcome.stop_reason == StopReason::interrupted);
  CHECK_FALSE(outcome.run);
  CHECK_FALSE(std::filesystem::exists(folder / "run"));
}

TEST_CASE("a progress bar fits on a line and tells how far, how fast and how long") {
  const drape::TrainingPlan plan{.epochs = 30, .images_per_epoch = 55'000};
  CHECK(
      drape::progress_bar(
          plan, {.epoch = 3, .images = 27'500, .loss = 0.25, .accuracy = 0.912, .seconds = 25.0}) ==
      "epoch  3/30 [========>       ]  50 %   1100 images/s  loss 0.2500  accuracy 91.2 %  0:25 "
      "left");
  CHECK_THAT(drape::progress_bar(plan, {.epoch = 1, .images = 55'000, .seconds = 1.0}),
             ContainsSubstring("[================] 100 %"));
  CHECK_THAT(drape::progress_bar(plan, {}), ContainsSubstring("0:00 left"));
}

TEST_CASE("progress is drawn at most ten times a second, and lines alone without a terminal") {
  const auto drawn = [](drape::ProgressReport::Style style) {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    {
      drape::ProgressReport report(file, style);
      report.on_begin({.epochs = 1, .images_per_epoch = 1000});
      for (int i = 1; i <= 1000; ++i)
        report.on_step({.epoch = 1, .images = i, .seconds = 0.001 * i});
      report.on_epoch_end({{.epoch = 1, .validation_accuracy = 0.5}}, Standing::best);
    }
    std::rewind(file);
    std::string text;
    for (int c; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
    std::fclose(file);
    return text;
  };
  const std::string bar = drawn(drape::ProgressReport::Style::bar);
  const auto draws = std::ranges::count(bar, '\r');  // one second, and one to wipe the bar away
  CHECK(draws >= 9);
  CHECK(draws <= 12);
  CHECK_THAT(bar, ContainsSubstring("\r\x1b[Kepoch  1/1  loss"));
  CHECK(drawn(drape::ProgressReport::Style::lines) ==
        "epoch  1/1  loss 0.0000  accuracy 0.00 %  validation loss 0.0000  accuracy 50.00 %  "
        "0.0 s  best\n");
}
