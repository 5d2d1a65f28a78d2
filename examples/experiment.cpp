#include "examples/experiment.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "core/checkpoint.h"
#include "core/digest.h"
#include "core/file.h"
#include "data/split.h"
#include "examples/event_observer.h"
#include "examples/machine.h"
#include "examples/offset_history.h"
#include "kernels/memory.h"
#include "models/saved.h"
#include "optim/event_log.h"

namespace drape {
namespace {

constexpr std::int64_t kHeldOutShare = 12;  // one in so many training images validates

Tensor store_images(const LabelledImages& images, std::int64_t count, Device device) {
  const auto bytes = static_cast<std::size_t>(count * images.height * images.width);
  return Tensor::from(Shape{count, images.height, images.width, 1},
                      std::span(images.pixels).first(bytes), device);
}

Tensor store_labels(const LabelledImages& images, std::int64_t count, Device device) {
  return Tensor::from(Shape{count}, std::span(images.labels).first(static_cast<std::size_t>(count)),
                      device);
}

std::string digest(const LabelledImages& images, std::int64_t count) {
  Sha256 digest;
  digest.update(std::span(images.pixels)
                    .first(static_cast<std::size_t>(count * images.height * images.width)));
  digest.update(std::span(images.labels).first(static_cast<std::size_t>(count)));
  return digest.hex();
}

std::vector<std::int32_t> all_of(const Tensor& labels) {
  std::vector<std::int32_t> indices(static_cast<std::size_t>(labels.size()));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

RunResult describe(const Experiment& experiment, const StoredData& data, Sequential& model) {
  const Shape& stored = data.train_images.shape();
  RunResult run;
  run.system = experiment.system;
  run.protocol = name(experiment.protocol);
  run.seed = experiment.training.seed;
  run.device = name(data.train_images.device());
  run.precision = name(experiment.precision);
  run.commit = build_commit();
  run.parameters = model.parameter_count();
  run.multiply_adds_per_image = model.multiply_adds({1, stored[1], stored[2], stored[3]});
  run.synthetic = data.synthetic;
  run.comparable = data.official && data.whole;
  run.training_images = data.train_labels.size();
  run.options = identity_of(experiment.training);
  run.options.erase("seed");
  run.stop_reason = "unfinished";
  return run;
}

// Writes the run down after every epoch.
class RunWriter : public Observer {
 public:
  RunWriter(RunResult run, const Experiment& experiment, Module& model)
      : run_(std::move(run)),
        network_(experiment.network),
        folder_(experiment.folder),
        config_(experiment.config),
        older_events_(event_files(folder_)),
        model_(model) {}

  void on_begin(const TrainingPlan&) override {
    if (!std::filesystem::exists(folder_ / kResultFile)) write_config();
  }

  void on_resume(const Resumption& from) override {
    older_events_.clear();  // they are this run's
    run_.history = from.history;
    run_.epochs_run = static_cast<int>(from.history.size());
    run_.best_epoch = from.best_epoch;
    if (from.best_epoch > 0) {
      const auto best = static_cast<std::size_t>(from.best_epoch - 1);
      run_.best_validation_accuracy = from.history[best].validation_accuracy;
    }
    if (!from.history.empty()) note_speed();
  }

  void on_epoch_end(const History& history, Standing standing) override {
    run_.history = history;
    run_.epochs_run = history.back().epoch;
    write_config();
    std::error_code ignored;  // what cannot be deleted stays
    for (const std::filesystem::path& file : std::exchange(older_events_, {}))
      std::filesystem::remove(file, ignored);
    if (standing == Standing::best) {
      run_.best_epoch = history.back().epoch;
      run_.best_validation_accuracy = history.back().validation_accuracy;
      write_weights();
    }
    note_speed();
    run_.peak_memory_bytes = peak_memory_bytes();
    write_run(run_, folder_);
  }

  const RunResult& run() const { return run_; }

  // Those that are in the model.
  void write_weights() {
    Weights weights;
    weights.metadata = network_metadata(network_, {kClassNames.begin(), kClassNames.end()});
    weights.metadata.insert({{"system", run_.system},
                             {"protocol", run_.protocol},
                             {"seed", std::to_string(run_.seed)},
                             {"epoch", std::to_string(run_.best_epoch)}});
    for (const auto& [name, tensor] : model_.tensors())
      weights.tensors.emplace_back(name, tensor.to(accumulator(tensor.dtype())));
    make_folder(folder_);
    save_weights(folder_ / kWeightsFile, weights);
  }

 private:
  void note_speed() {
    double seconds = 0.0;
    for (const EpochRecord& record : run_.history) seconds += record.seconds;
    run_.seconds_per_epoch = seconds / static_cast<double>(run_.history.size());
  }

  // Once.
  void write_config() {
    if (config_.empty()) return;
    make_folder(folder_);
    write_file_atomically(folder_ / "config.toml", std::exchange(config_, ""));
  }

  RunResult run_;
  NetworkOptions network_;
  std::filesystem::path folder_;
  std::string config_;
  std::vector<std::filesystem::path> older_events_;  // of a run that this one replaces
  Module& model_;
};

}  // namespace

StoredData store(const DataSet& data, std::int64_t limit, Device device) {
  const std::int64_t count = limit == 0 ? data.train.size() : std::min(limit, data.train.size());
  return {.train_images = store_images(data.train, count, device),
          .train_labels = store_labels(data.train, count, device),
          .test_images = store_images(data.test, data.test.size(), device),
          .test_labels = store_labels(data.test, data.test.size(), device),
          .synthetic = data.synthetic,
          .official = data.official,
          .whole = count == data.train.size(),
          .sha256 = digest(data.train, count)};
}

Selection select_examples(const StoredData& data, Protocol protocol, std::uint64_t seed) {
  const std::int64_t count = data.train_labels.size();
  DRAPE_CHECK(count >= 2, "data: expected at least two training images, got {}", count);
  const Examples test{data.test_images, data.test_labels, all_of(data.test_labels), kClasses};
  Examples training{data.train_images, data.train_labels, {}, kClasses};
  if (protocol == Protocol::published) {
    training.indices = all_of(data.train_labels);
    return {training, test, std::nullopt};
  }
  const std::vector<std::uint8_t> labels = data.train_labels.to_vector<std::uint8_t>();
  Split split = stratified_split(labels, std::max<std::int64_t>(count / kHeldOutShare, 1), seed);
  Examples validation = training;
  training.indices = std::move(split.train);
  validation.indices = std::move(split.validation);
  return {training, validation, test};
}

Sequential initial_model(const Experiment& experiment, Device device) {
  Sequential model = build_network(experiment.network);
  Generator random(experiment.training.seed, Purpose::initialization);
  model.initialize(random);
  model.to(device);
  if (experiment.precision == Precision::bf16) model.to(DType::bf16);
  return model;
}

Outcome run_experiment(const Experiment& experiment, const StoredData& data, Observer& progress,
                       const std::atomic<bool>& interrupted) {
  kernels::trim(Cpu{});  // what an earlier run left behind is not this one's
  reset_peak_memory();
  Sequential model = initial_model(experiment, data.train_images.device());
  const Selection selection = select_examples(data, experiment.protocol, experiment.training.seed);
  TrainerOptions options = experiment.training;
  options.checkpoints.identity = {{"system", experiment.system},
                                  {"protocol", std::string(name(experiment.protocol))},
                                  {"training data of SHA-256", data.sha256}};
  RunWriter writer(describe(experiment, data, model), experiment, model);
  std::optional<EventObserver> events;
  OffsetRecorder offsets(experiment.folder, model, selection.validation);
  std::vector<Observer*> all{&writer, &offsets, &progress};
  if (experiment.events == Events::tensorboard)
    all.push_back(&events.emplace(experiment.folder, model, selection.validation));
  Observers observers(all);
  const TrainResult trained =
      train(model, selection.training, selection.validation, options, observers, interrupted);
  Outcome outcome{trained.stop_reason, trained.divergence, trained.resumable};
  if (trained.history.empty()) return outcome;
  if (experiment.precision == Precision::bf16) writer.write_weights();  // as they were kept in f32
  RunResult run = writer.run();
  run.stop_reason = name(trained.stop_reason);
  run.images_per_second = trained.images_per_second;
  if (trained.stop_reason == StopReason::max_epochs ||
      trained.stop_reason == StopReason::early_stopping) {
    const Examples& judged = selection.test ? *selection.test : selection.validation;
    const Evaluation evaluation = evaluate(model, judged, Loss::softmax_cross_entropy);
    run.confusion = evaluation.confusion;
    if (selection.test) run.test_accuracy = evaluation.accuracy;
  }
  run.peak_memory_bytes = peak_memory_bytes();
  write_run(run, experiment.folder);
  outcome.run = std::move(run);
  return outcome;
}

}  // namespace drape
