// Experiments: which images train and which judge, and what a run leaves.
#include "examples/experiment.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/checkpoint.h"
#include "data/synthetic.h"
#include "examples/machine.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/skip.h"

namespace {

using drape::Examples;
using drape::History;
using drape::Protocol;
using drape::Sequential;
using drape::Shape;
using drape::StopReason;
using drape::StoredData;
using drape::Tensor;

const std::atomic<bool> kNever{false};

// Calls what it is given.
struct AfterEpoch : drape::Observer {
  void on_epoch_end(const History& history, drape::Standing) override {
    if (call) call(history);
  }
  std::function<void(const History&)> call;
};

}  // namespace

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
  AfterEpoch observer;
  CHECK_THROWS_AS(run_experiment(experiment, data, observer, kNever), drape::Error);  // the control

  observer.call = [&](const History& history) {
    const drape::RunResult so_far = drape::read_run(folder / "run");
    CHECK(so_far.stop_reason == "unfinished");
    CHECK(so_far.history == history);
    CHECK_FALSE(so_far.test_accuracy);
    if (history.size() == 2) labels.assign(Tensor::from(Shape{20}, right));
  };
  const drape::Outcome outcome = run_experiment(experiment, data, observer, kNever);
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

TEST_CASE("published numbers stand beside runs of the whole official data set alone") {
  const drape::tests::TemporaryFolder folder;
  drape::DataSet garments = drape::synthetic_garments(5, 96, 20);
  drape::Observer silent;
  int runs = 0;
  const auto comparable = [&](bool official, std::int64_t limit) {
    garments.official = official;
    const drape::Outcome outcome = run_experiment(
        {"standard", {}, {.epochs = 1}, Protocol::held_out, folder / std::to_string(runs++)},
        drape::store(garments, limit, drape::Device::cpu), silent, kNever);
    REQUIRE(outcome.run);
    return outcome.run->comparable;
  };
  CHECK(comparable(true, 0));
  CHECK(comparable(true, 96));
  CHECK_FALSE(comparable(true, 95));
  CHECK_FALSE(comparable(false, 0));
}

TEST_CASE("a run does not go on with other data, another system or another protocol") {
  const drape::tests::TemporaryFolder folder;
  drape::DataSet garments = drape::synthetic_garments(5, 96, 20);
  drape::Observer silent;
  drape::Experiment experiment{"standard", {}, {.epochs = 1}, Protocol::held_out, folder / "run"};
  experiment.training.checkpoints = {.folder = folder / "states", .start = drape::Start::resume};
  const auto refusal = [&] {
    const StoredData data = drape::store(garments, 0, drape::Device::cpu);
    return drape::tests::error_of([&] { run_experiment(experiment, data, silent, kNever); });
  };
  CHECK(refusal().empty());  // there is nothing to go on from
  garments.train.pixels[500] ^= 1;
  CHECK_THAT(refusal(), ContainsSubstring("expected a run with training data of SHA-256 "));
  garments.train.pixels[500] ^= 1;
  garments.train.labels[50] ^= 1;
  CHECK_THAT(refusal(), ContainsSubstring("expected a run with training data of SHA-256 "));
  garments.train.labels[50] ^= 1;
  experiment.protocol = Protocol::published;
  CHECK_THAT(refusal(), ContainsSubstring("expected a run with protocol published"));
  experiment.protocol = Protocol::held_out;
  experiment.system = "deep";
  CHECK_THAT(refusal(), ContainsSubstring("expected a run with system deep"));
  experiment.system = "standard";
  CHECK(refusal().empty());  // the control
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
