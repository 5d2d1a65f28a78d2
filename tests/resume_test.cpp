// Training states: a run that goes on from one ends as if it had never been interrupted.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "data/synthetic.h"
#include "examples/experiment.h"
#include "kernels/parallel.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "optim/checkpoints.h"
#include "optim/trainer.h"
#include "optim/trainer_options.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/skip.h"

namespace {

namespace fs = std::filesystem;
using drape::CheckpointOptions;
using drape::Start;
using drape::StopReason;
using drape::TrainerOptions;
using drape::TrainingState;
using drape::tests::content;
using drape::tests::error_of;
using drape::tests::TemporaryFolder;

using Bits = std::vector<std::vector<float>>;

// Ends the run after so many steps, and remembers what it is told.
class Witness : public drape::Observer {
 public:
  explicit Witness(int steps = -1) : left_(steps) {
    if (left_ == 0) interrupted = true;
  }
  void on_step(const drape::EpochProgress&) override {
    if (--left_ == 0) interrupted = true;
  }
  void on_resume(const drape::Resumption& from) override { resumed = from.epoch; }
  void on_warning(const std::string& line) override { warnings.push_back(line); }

  std::atomic<bool> interrupted{false};
  int resumed = 0;
  std::vector<std::string> warnings;

 private:
  int left_;
};

struct Ended {
  StopReason reason;
  drape::History history;  // without times
  int best_epoch;
  bool resumable;
  Bits bits{};
};

// Statistics and dropout, in little.
drape::Sequential network(std::int64_t channels) {
  drape::Sequential model;
  model.add("pool", drape::MaxPool2d({.window = 4}))
      .add("conv", drape::Conv2d(1, channels, 3, {.padding = 1}))
      .add("norm",
           drape::BatchNorm(channels, {.activation = drape::Activation::relu, .dropout = 0.2}))
      .add("flatten", drape::Flatten())
      .add("linear", drape::Linear(7 * 7 * channels, 10));
  return model;
}

// 44 images in batches of 16: three steps an epoch, the last one smaller.
struct Run {
  Run() : data(drape::store(drape::synthetic_garments(5, 48, 10), 0, drape::Device::cpu)) {}

  Ended train(const CheckpointOptions& checkpoints, Witness& witness) const {
    const drape::Selection selection = select_examples(data, drape::Protocol::held_out, 1);
    drape::Sequential model = network(channels);
    drape::Generator random(1, drape::Purpose::initialization);
    model.initialize(random);
    TrainerOptions with = options;
    with.checkpoints = checkpoints;
    drape::TrainResult result = drape::train(model, selection.training, selection.validation, with,
                                             witness, witness.interrupted);
    Ended ended{result.stop_reason, std::move(result.history), result.best_epoch, result.resumable};
    for (drape::EpochRecord& record : ended.history) record.seconds = 0.0;
    for (const drape::NamedTensor& entry : model.state())
      ended.bits.push_back(entry.tensor.to_vector<float>());
    return ended;
  }

  drape::StoredData data;
  std::int64_t channels = 3;
  TrainerOptions options{.epochs = 3,
                         .batch = 16,
                         .schedule = drape::ScheduleKind::one_cycle,
                         .mixup_alpha = 1.0,
                         .seed = 7};
};

void check_same(const Ended& found, const Ended& expected) {
  CHECK(found.reason == expected.reason);
  CHECK(found.history == expected.history);
  CHECK(found.best_epoch == expected.best_epoch);
  CHECK(found.bits == expected.bits);
}

std::vector<std::string> files(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string state_name(int steps) {
  return fmt::format("state-{:012}.safetensors", steps);
}

}  // namespace

TEST_CASE("a run that goes on after any step ends with the bits of one that was not interrupted") {
  const Run run;
  const TemporaryFolder folder;
  Witness watched;
  const Ended expected = run.train({.folder = folder / "whole"}, watched);
  REQUIRE(expected.reason == StopReason::max_epochs);
  for (int steps = 0; steps < 9; ++steps) {
    CAPTURE(steps);
    const fs::path states = folder / std::to_string(steps);
    Witness first(steps), second;
    CHECK(run.train({.folder = states}, first).reason == StopReason::interrupted);
    CHECK(files(states) == std::vector{state_name(steps)});
    check_same(run.train({.folder = states, .start = Start::resume}, second), expected);
    CHECK(second.resumed == steps / 3 + 1);
    CHECK(second.warnings.empty());
  }
}

TEST_CASE(
    "a run that is interrupted again and again, on another number of threads, ends the same") {
  const int before = drape::kernels::thread_count();
  Run run;
  run.options.optimizer = drape::OptimizerKind::sgd;
  run.options.early_stopping.patience = 1;
  const TemporaryFolder folder;
  Witness watched;
  const Ended expected = run.train({.folder = folder / "whole"}, watched);
  int starts = 0;
  while (true) {
    drape::kernels::set_thread_count(1 + starts++ % 3);
    Witness witness(1);
    const Ended ended = run.train({.folder = folder / "pieces", .start = Start::resume}, witness);
    if (ended.reason == StopReason::interrupted) continue;
    check_same(ended, expected);
    break;
  }
  CHECK(starts > 3);
  drape::kernels::set_thread_count(before);
}

TEST_CASE("a run of augmented images and averaged weights goes on to the same bits") {
  Run run;
  run.options.augmentation = {.shift = 2, .erase = 0.5};
  run.options.average_decay = 0.5;
  const TemporaryFolder folder;
  Witness watched;
  const Ended expected = run.train({.folder = folder / "whole"}, watched);
  for (const int steps : {1, 3, 5, 8}) {
    CAPTURE(steps);
    const fs::path states = folder / std::to_string(steps);
    Witness first(steps), second;
    CHECK(run.train({.folder = states}, first).reason == StopReason::interrupted);
    check_same(run.train({.folder = states, .start = Start::resume}, second), expected);
  }
  Run plain;  // the control: both change what is trained
  plain.options.augmentation = run.options.augmentation;
  CHECK(plain.train({.folder = folder / "plain"}, watched).bits != expected.bits);
  plain = run;
  plain.options.augmentation = {};
  CHECK(plain.train({.folder = folder / "plain"}, watched).bits != expected.bits);
}

TEST_CASE("a run that is over goes on to the result that it had") {
  const Run run;
  const TemporaryFolder folder;
  Witness first, second;
  const Ended expected = run.train({.folder = folder.path()}, first);
  const Ended again = run.train({.folder = folder.path(), .start = Start::resume}, second);
  check_same(again, expected);
}

TEST_CASE("states are written every so many steps, and the newest are kept") {
  Run run;
  run.options.mixup_alpha = 0.0;
  const TemporaryFolder folder;
  Witness witness(7);
  run.train({.folder = folder.path(), .every_steps = 2, .keep = 3}, witness);
  CHECK(files(folder.path()) == std::vector{state_name(4), state_name(6), state_name(7)});
  Witness another(1);
  run.train({.folder = folder.path(), .keep = 3, .start = Start::resume}, another);
  CHECK(files(folder.path()) == std::vector{state_name(6), state_name(7), state_name(8)});
  Witness over(1);  // and one that begins anew replaces them all
  run.train({.folder = folder.path()}, over);
  CHECK(files(folder.path()) == std::vector{state_name(1)});
}

TEST_CASE("a state is due after so many steps or so many seconds, whichever is first") {
  const drape::Checkpoints by_time({.folder = "any", .every_seconds = 300.0});
  CHECK_FALSE(by_time.due(7, 299.0));
  CHECK(by_time.due(7, 300.0));
  const drape::Checkpoints by_steps({.folder = "any", .every_steps = 4});
  CHECK_FALSE(by_steps.due(7, 1e9));
  CHECK(by_steps.due(8, 0.0));
  const drape::Checkpoints by_both({.folder = "any", .every_steps = 4, .every_seconds = 300.0});
  CHECK_FALSE(by_both.due(7, 299.0));
  CHECK(by_both.due(7, 300.0));
  CHECK(by_both.due(8, 0.0));
  CHECK_FALSE(drape::Checkpoints({.folder = "any"}).due(8, 1e9));
}

TEST_CASE("a damaged state is passed over, and a run does not begin anew if all are damaged") {
  const Run run;
  const TemporaryFolder folder;
  Witness whole, first(7);
  const Ended expected = run.train({.folder = folder / "whole"}, whole);
  const fs::path states = folder / "states";
  run.train({.folder = states, .every_steps = 5}, first);
  REQUIRE(files(states) == std::vector{state_name(5), state_name(7)});
  fs::resize_file(states / state_name(7), fs::file_size(states / state_name(7)) / 2);
  fs::copy(states, folder / "copy");
  Witness second;
  check_same(run.train({.folder = states, .start = Start::resume}, second), expected);
  REQUIRE(second.warnings.size() == 1);
  CHECK_THAT(second.warnings[0], ContainsSubstring(state_name(7)));

  fs::resize_file(folder / "copy" / state_name(5), 100);
  Witness third;
  CHECK_THAT(
      error_of([&] { run.train({.folder = folder / "copy", .start = Start::resume}, third); }),
      ContainsSubstring("expected a whole state"));
}

TEST_CASE("a state of another run is refused with the difference") {
  const Run run;
  const TemporaryFolder folder;
  Witness first(4);
  run.train({.folder = folder.path(), .identity = {{"system", "enhanced"}}}, first);
  const auto refusal = [&](const Run& other, const std::string& system = "enhanced") {
    Witness witness;
    return error_of([&] {
      other.train(
          {.folder = folder.path(), .start = Start::resume, .identity = {{"system", system}}},
          witness);
    });
  };
  Run other;
  other.options.learning_rate = 0.5;
  CHECK_THAT(refusal(other),
             ContainsSubstring("expected a run with lr 0.5, got one with lr 0.001"));
  other = Run();
  other.options.epochs = 4;
  CHECK_THAT(refusal(other), ContainsSubstring("epochs 4"));
  CHECK_THAT(refusal(run, "deep"), ContainsSubstring("system deep, got one with system enhanced"));
  other = Run();
  other.channels = 4;  // found out by its tensors
  CHECK_THAT(refusal(other), ContainsSubstring("'model.conv.weight' of shape [4,3,3,1]"));
  CHECK(refusal(run).empty());  // the control
}

TEST_CASE("a state of another run that a killed process left beside its own is passed over") {
  Run older;
  older.options.learning_rate = 0.5;
  const Run run;
  const TemporaryFolder folder;
  Witness whole, first(4), second;
  const Ended expected = run.train({.folder = folder / "whole"}, whole);
  run.train({.folder = folder / "states"}, first);
  older.train({.folder = folder / "older"}, whole);
  const std::string newest = files(folder / "older").back();
  fs::copy(folder / "older" / newest, folder / "states");
  check_same(run.train({.folder = folder / "states", .start = Start::resume}, second), expected);
  CHECK(second.warnings.empty());
}

TEST_CASE("every option that decides a run's bits is part of what the run is") {
  using drape::TrainerOptions;
  const drape::RunIdentity plain = identity_of(TrainerOptions{});
  const auto changed = [&](void (*change)(TrainerOptions&)) {
    TrainerOptions options;
    change(options);
    const drape::RunIdentity identity = identity_of(options);
    std::vector<std::string> names;
    for (const auto& [name, value] : identity)
      if (!plain.contains(name) || plain.at(name) != value) names.push_back(name);
    return fmt::format("{}", fmt::join(names, " "));
  };
  CHECK(changed([](TrainerOptions&) {}).empty());  // the control
  CHECK(changed([](TrainerOptions& o) { o.epochs = 31; }) == "epochs");
  CHECK(changed([](TrainerOptions& o) { o.batch = 63; }) == "batch");
  CHECK(changed([](TrainerOptions& o) { o.optimizer = drape::OptimizerKind::sgd; }) == "optimizer");
  CHECK(changed([](TrainerOptions& o) { o.learning_rate = 0.002; }) == "lr");
  CHECK(changed([](TrainerOptions& o) { o.schedule = drape::ScheduleKind::step; }) == "schedule");
  CHECK(changed([](TrainerOptions& o) {
          o.schedule = drape::ScheduleKind::exponential;
          o.last_learning_rate = 0.1;
        }) == "last-lr schedule");
  CHECK(changed([](TrainerOptions& o) { o.weight_decay = 0.01; }) == "weight-decay");
  CHECK(changed([](TrainerOptions& o) { o.momentum = 0.8; }) == "momentum");
  CHECK(changed([](TrainerOptions& o) { o.mixup_alpha = 1.0; }) == "mixup");
  CHECK(changed([](TrainerOptions& o) { o.label_smoothing = 0.1; }) == "label-smoothing");
  CHECK(changed([](TrainerOptions& o) { o.augmentation.shift = 1; }) == "shift");
  CHECK(changed([](TrainerOptions& o) { o.augmentation.mirroring = drape::Mirroring::half; }) ==
        "mirror");
  CHECK(changed([](TrainerOptions& o) { o.augmentation.erase = 0.5; }) == "erase");
  CHECK(changed([](TrainerOptions& o) { o.clip_norm = 1.0; }) == "clip-norm");
  CHECK(changed([](TrainerOptions& o) { o.average_decay = 0.9; }) == "average");
  CHECK(changed([](TrainerOptions& o) { o.pieces = 2; }) == "pieces");
  CHECK(changed([](TrainerOptions& o) {
          o.early_stopping.monitor = drape::Monitor::train_accuracy;
        }) == "monitor");
  CHECK(changed([](TrainerOptions& o) { o.early_stopping.goal = drape::Goal::minimize; }) ==
        "goal");
  CHECK(changed([](TrainerOptions& o) { o.early_stopping.patience = 4; }) == "patience");
  CHECK(changed([](TrainerOptions& o) { o.early_stopping.min_delta = 0.1; }) == "min-delta");
  CHECK(changed([](TrainerOptions& o) { o.seed = 1; }) == "seed");
  // What does not: when a device is looked at, how its kernels are launched, where states go.
  CHECK(changed([](TrainerOptions& o) { o.look_every = 1.0; }).empty());
  CHECK(changed([](TrainerOptions& o) { o.launching = drape::Launching::each; }).empty());
  CHECK(changed([](TrainerOptions& o) { o.checkpoints.every_steps = 1; }).empty());
}

TEST_CASE("without a state a run that shall go on begins, and says so") {
  const Run run;
  const TemporaryFolder folder;
  Witness first(2);
  run.train({.folder = folder / "none", .start = Start::resume}, first);
  REQUIRE(first.warnings.size() == 1);
  CHECK_THAT(first.warnings[0], ContainsSubstring("no state in"));
  CHECK(files(folder / "none") == std::vector{state_name(2)});
}

TEST_CASE(
    "what a killed process left of a state is swept away, a folder that cannot be read is not") {
  const Run run;
  const TemporaryFolder folder;
  const fs::path left = folder / (state_name(3) + ".tmp-1-0"), other = folder / "notes.tmp-1-0";
  std::ofstream(left) << "half";
  std::ofstream(other) << "mine";
  Witness witness(2);
  run.train({.folder = folder.path()}, witness);
  CHECK_FALSE(fs::exists(left));
  CHECK(fs::exists(other));
  std::ofstream(folder / "file") << "in the way";
  CHECK_THAT(
      error_of([&] { run.train({.folder = folder / "file", .start = Start::resume}, witness); }),
      ContainsSubstring("cannot read folder"));
}

TEST_CASE("a state that cannot be written is a warning, and training goes on") {
  const Run run;
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "in the way";
  Witness witness;
  const Ended ended = run.train({.folder = folder / "file", .every_steps = 4}, witness);
  CHECK(ended.reason == StopReason::max_epochs);
  REQUIRE(witness.warnings.size() == 3);  // steps 4 and 8, and the end
  CHECK_THAT(witness.warnings[0], ContainsSubstring("checkpoint not written"));
  CHECK_FALSE(ended.resumable);
  CHECK(run.train({.folder = folder / "states"}, witness).resumable);
}

TEST_CASE("every truncation and every flipped bit of a state's first 4 KiB is refused") {
  const TemporaryFolder folder;
  TrainingState state{.identity = {{"system", "x"}},
                      .device = "cpu",
                      .shuffling = drape::Generator(7, drape::Purpose::shuffle).state(),
                      .mixing = drape::Generator(7, drape::Purpose::mixup).state(),
                      .augmenting = drape::Generator(7, drape::Purpose::augmentation).state()};
  state.tensors.emplace_back("model.bias", drape::Tensor::full({10}, 1.0));
  state.tensors.emplace_back("model.weight", drape::Tensor::full({80, 10}, 2.0));
  save_training_state(folder / "state", state);
  CHECK_NOTHROW(drape::load_training_state(folder / "state"));
  const std::string file = content(folder / "state");
  const auto refused = [&](const std::string& bytes) {  // as a file of these bytes would be
    const auto load = [&] {
      drape::training_state_of(drape::parse_weights(bytes, "damaged", drape::Digest::required));
    };
    return !error_of(load).empty();
  };
  CHECK_FALSE(refused(file));
  for (std::size_t size = 0; size < file.size(); ++size) {
    if (!refused(file.substr(0, size))) FAIL("cut to " << size << " bytes");
  }
  // All eight of a byte, but not of each.
  constexpr std::size_t kNext = drape::tests::kSanitized ? 7 : 1;
  for (std::size_t bit = 0; bit < 8 * std::min<std::size_t>(4096, file.size()); bit += kNext) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    if (!refused(flipped)) FAIL("bit " << bit << " flipped");
  }
}

TEST_CASE("a state that nests where a number belongs is refused, however deep") {
  const std::string deep(200'000, '[');
  drape::Weights file{{{"history", drape::Tensor::zeros({0, 6}, drape::DType::f64)}},
                      {{"kind", "drape training state 1"}, {"run", "{}"}}};
  const auto refusal = [&](const std::string& epoch) {
    file.metadata["state"] = R"({"device":"cpu","epoch":)" + epoch + "}";
    return error_of([&] { drape::training_state_of(drape::Weights(file)); });
  };
  CHECK(refusal(deep + std::string(deep.size(), ']')) ==
        "expected a whole number 1 ... 1073741824 as 'epoch', got array");
  CHECK_THAT(refusal("0"), ContainsSubstring("as 'epoch', got 0"));
  CHECK_THAT(refusal("1"), ContainsSubstring("'step'"));  // the control
}
