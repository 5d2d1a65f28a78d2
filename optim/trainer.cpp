#include "optim/trainer.h"

#include <array>
#include <cmath>
#include <memory>
#include <optional>

#include "core/placed.h"
#include "data/mixup.h"
#include "kernels/graph.h"
#include "layers/losses.h"
#include "optim/adam.h"
#include "optim/best_weights.h"
#include "optim/sgd.h"
#include "optim/stopwatch.h"

namespace drape {
namespace {

std::unique_ptr<Optimizer> make_optimizer(Module& model, const TrainerOptions& options) {
  switch (options.optimizer) {
    case OptimizerKind::adam:
      return std::make_unique<Adam>(model.parameters(),
                                    AdamOptions{.weight_decay = options.weight_decay});
    case OptimizerKind::adamw:
      return std::make_unique<Adam>(
          model.parameters(),
          AdamOptions{.weight_decay = options.weight_decay, .decay = WeightDecay::decoupled});
    case OptimizerKind::sgd:
      return std::make_unique<Sgd>(
          model.parameters(),
          SgdOptions{.momentum = options.momentum, .weight_decay = options.weight_decay});
  }
  throw Error("train: expected a known optimizer");
}

// The name of the first tensor of the state that holds a NaN or an infinity; empty if none does.
std::string first_not_finite(Module& model) {
  for (const NamedTensor& entry : model.state()) {
    for (const double value : entry.tensor.to(DType::f64).to_vector<double>())
      if (!std::isfinite(value)) return entry.name;
  }
  return "";
}

// What an epoch's record says of training so far.
void note(const kernels::Progress& so_far, EpochRecord& record) {
  const auto images = static_cast<double>(so_far.images);
  record.train_loss = so_far.loss_sum / images;
  record.train_accuracy = static_cast<double>(so_far.correct) / images;
}

class Training {
 public:
  Training(Module& model, const Examples& training, const Examples& validation,
           const TrainerOptions& options, Observer& observer, const std::atomic<bool>& interrupted);

  TrainResult run();

 private:
  // Each returns why the run has to end here, if it has to.
  std::optional<StopReason> run_epoch();
  std::optional<StopReason> train_epoch(EpochRecord& record);
  std::optional<StopReason> validate(EpochRecord& record);
  std::optional<StopReason> finish_epoch(const EpochRecord& record);

  // Draws the epoch's order, mixes and learning rates, and puts them where steps find them.
  void plan_epoch();
  // Asks the device for one step, on a batch of the size that batch i has, and does not wait.
  void step(std::int64_t i);
  // The same for each of its kernels by itself.
  void launch_step(std::int64_t i);
  std::optional<StopReason> diverged(double loss, const std::string& where);

  // What the run is, and where it stands.
  RunIdentity identity() const;
  std::int64_t steps_before() const { return (epoch_ - 1) * schedule_.steps_per_epoch; }
  // Handles to all that steps change, by the names that they have in a state.
  NamedTensors tensors() const;
  void write_state(const kernels::Progress& progress);
  // Goes on from a state, if there is one.
  void resume();

  Module& model_;
  const Examples &training_, &validation_;
  const TrainerOptions options_;
  Observer& observer_;
  const std::atomic<bool>& interrupted_;

  const MixUp mixup_;
  const Loss loss_;
  const DType dtype_;
  const std::unique_ptr<Optimizer> optimizer_;
  EarlyStopping stopping_;
  BestWeights best_;
  std::optional<Checkpoints> checkpoints_;
  Generator shuffle_, mixing_;
  Schedule schedule_;
  int epoch_ = 1;
  RandomStream shuffle_before_, mixing_before_;  // the epoch
  std::int64_t first_step_ = 0;                  // of the epoch that is not done yet
  std::optional<StopReason> ended_;
  Stopwatch watch_, epoch_watch_, state_watch_;  // of everything, the epoch, since the last state
  // On the device: what changes from step to step.
  Placed<kernels::Progress> progress_;
  std::optional<BatchPlan> batches_;
  Tensor rates_;                        // f64, of the epoch's steps
  kernels::Repeated step_, last_step_;  // the last batch may be smaller
  bool warned_ = false;
  std::int64_t images_ = 0;
  double training_seconds_ = 0.0;
  TrainResult result_;
};

Training::Training(Module& model, const Examples& training, const Examples& validation,
                   const TrainerOptions& options, Observer& observer,
                   const std::atomic<bool>& interrupted)
    : model_(model),
      training_(training),
      validation_(validation),
      options_(options),
      observer_(observer),
      interrupted_(interrupted),
      mixup_(options.mixup_alpha),
      loss_(mixup_.on() ? Loss::binary_cross_entropy : Loss::softmax_cross_entropy),
      dtype_(compute_type(model)),
      optimizer_(make_optimizer(model, options)),
      stopping_(options.early_stopping),
      best_(model, *optimizer_),
      shuffle_(options.seed, Purpose::shuffle),
      mixing_(options.seed, Purpose::mixup),
      progress_(training.images.device()) {
  drape::validate(options);
  DRAPE_CHECK(training.size() > 0 && validation.size() > 0,
              "train: expected examples to train and to validate with, got {} and {}",
              training.size(), validation.size());
  schedule_ = {.kind = options.schedule,
               .base = options.learning_rate,
               .epochs = options.epochs,
               .steps_per_epoch = Batches(training.indices, options.batch).size()};
  rates_ = Tensor::zeros({schedule_.steps_per_epoch}, DType::f64, training.images.device());
  if (options.checkpoints.wanted()) checkpoints_.emplace(options.checkpoints);
}

TrainResult Training::run() {
  observer_.on_begin({.epochs = options_.epochs, .images_per_epoch = training_.size()});
  if (checkpoints_) resume();
  while (!ended_) {
    ended_ = run_epoch();
    if (!ended_) ++epoch_;
  }
  if (checkpoints_ && *ended_ != StopReason::diverged) write_state(progress_.read());
  best_.restore();
  result_.stop_reason = *ended_;
  result_.best_epoch = stopping_.best_epoch();
  result_.images_per_second = static_cast<double>(images_) / std::max(training_seconds_, 1e-9);
  result_.seconds = watch_.seconds();
  return result_;
}

std::optional<StopReason> Training::run_epoch() {
  EpochRecord record{.epoch = epoch_, .learning_rate = schedule_.at(steps_before())};
  std::optional<StopReason> reason = train_epoch(record);
  if (!reason) reason = validate(record);
  record.seconds = epoch_watch_.seconds();
  if (!reason) reason = finish_epoch(record);
  if (reason) return reason;
  first_step_ = 0;
  epoch_watch_ = Stopwatch();
  return std::nullopt;
}

std::optional<StopReason> Training::train_epoch(EpochRecord& record) {
  plan_epoch();
  double looked = epoch_watch_.seconds();  // at progress, for which a device has to be waited for
  if (first_step_ > 0) note(progress_.read(), record);
  for (std::int64_t i = first_step_; i < rates_.size(); ++i) {
    if (interrupted_.load(std::memory_order_relaxed)) return StopReason::interrupted;
    step(i);
    const bool last = i + 1 == rates_.size(), free = rates_.device() == Device::cpu;
    const bool due =
        checkpoints_ && checkpoints_->due(steps_before() + i + 1, state_watch_.seconds());
    if (!free && !last && !due && epoch_watch_.seconds() - looked < options_.look_every) continue;
    looked = epoch_watch_.seconds();
    const kernels::Progress so_far = progress_.read();
    if (so_far.failed_step > 0)
      return diverged(so_far.failed_loss, fmt::format("step {}", so_far.failed_step));
    note(so_far, record);
    observer_.on_step({record.epoch, so_far.images, record.train_loss, record.train_accuracy,
                       epoch_watch_.seconds()});
    if (due) write_state(so_far);
  }
  images_ += training_.size();
  training_seconds_ += epoch_watch_.seconds();
  return std::nullopt;
}

void Training::plan_epoch() {
  shuffle_before_ = shuffle_.state();
  mixing_before_ = mixing_.state();
  const Batches batches(training_.indices, options_.batch, &shuffle_);
  std::vector<Mix> mixes;
  std::vector<double> rates;
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    if (mixup_.on())
      mixes.push_back(mixup_.draw(mixing_, static_cast<std::int64_t>(batches[i].size())));
    rates.push_back(schedule_.at(steps_before() + i));
  }
  if (batches_) {
    batches_->replace(batches, mixes);
  } else {
    batches_.emplace(training_.images, training_.labels, training_.classes, batches, mixes);
  }
  rates_.assign(Tensor::from<double>(rates_.shape(), rates, rates_.device()));
  if (first_step_ == 0) progress_.write({.streams = progress_.read().streams});
}

void Training::step(std::int64_t i) {
  if (options_.launching == Launching::each) return launch_step(i);
  const bool last = i + 1 == rates_.size(), recorded = step_.content().has_value();
  kernels::Repeated& repeated = last ? last_step_ : step_;
  on(rates_.device(), [&](auto tag) { repeated.run(tag, [&] { launch_step(i); }); });
  if (!recorded && step_.content()) observer_.on_recorded(*step_.content());
  if (repeated.problem().empty() || warned_) return;
  warned_ = true;
  observer_.on_warning("train: steps are not recorded, kernels are launched one by one: " +
                       repeated.problem());
}

void Training::launch_step(std::int64_t i) {
  optimizer_->clear_grads();  // of a step that could not be recorded
  kernels::Progress* const progress = progress_.address();
  Generator random(options_.seed, Purpose::dropout);  // the device counts on from step to step
  const std::uint64_t first_stream = random.state().id;
  const Batch batch = batches_->gather(i, dtype_, progress);
  Pass pass = Pass::train(random, &progress->streams);
  const Tensor logits = model_.forward(batch.x, pass);
  backward(loss_of(loss_, logits, batch.targets, {.labels = batch.labels, .progress = progress}));
  optimizer_->take({.progress = progress,
                    .rates = rates_.data<double>(),
                    .streams = random.state().id - first_stream});
  optimizer_->clear_grads();
}

std::optional<StopReason> Training::validate(EpochRecord& record) {
  const Evaluation evaluation = evaluate(model_, validation_, loss_);
  record.validation_loss = evaluation.loss;
  record.validation_accuracy = evaluation.accuracy;
  return diverged(evaluation.loss, "validation");
}

std::optional<StopReason> Training::diverged(double loss, const std::string& where) {
  if (std::isfinite(loss)) return std::nullopt;
  const std::string culprit = first_not_finite(model_);
  result_.divergence = fmt::format(
      "train: expected a finite loss, got {} in epoch {}, {}; {}", loss, result_.history.size() + 1,
      where, culprit.empty() ? "all weights are finite" : "not finite: " + culprit);
  return StopReason::diverged;
}

std::optional<StopReason> Training::finish_epoch(const EpochRecord& record) {
  result_.history.push_back(record);
  const double value = monitored(record, options_.early_stopping.monitor);
  const EarlyStopping::Verdict verdict = stopping_.update(record.epoch, value);
  const bool improved = verdict == EarlyStopping::Verdict::improved;
  if (improved) best_.keep();
  observer_.on_epoch_end(result_.history, improved ? Standing::best : Standing::not_best);
  if (verdict == EarlyStopping::Verdict::stop) return StopReason::early_stopping;
  if (epoch_ == options_.epochs) return StopReason::max_epochs;
  return std::nullopt;
}

RunIdentity Training::identity() const {
  RunIdentity all = identity_of(options_);
  all.insert(options_.checkpoints.identity.begin(), options_.checkpoints.identity.end());
  all["training images"] = fmt::format("{}", training_.size());
  all["validation images"] = fmt::format("{}", validation_.size());
  all["elements"] = name(dtype_);
  return all;
}

NamedTensors Training::tensors() const {
  NamedTensors all = best_.tensors();
  optimizer_->visit([&](std::string_view name, Tensor& tensor) {
    all.emplace_back(fmt::format("optimizer.{}", name), tensor);
  });
  return all;
}

void Training::write_state(const kernels::Progress& progress) {
  if (progress.failed_step > 0) return;  // nothing to go on from
  const bool over = ended_ && *ended_ != StopReason::interrupted;
  checkpoints_->write(steps_before() + progress.step,
                      {.identity = identity(),
                       .device = std::string(name(rates_.device())),
                       .epoch = epoch_,
                       .progress = progress,
                       .shuffling = shuffle_before_,
                       .mixing = mixing_before_,
                       .epoch_seconds = epoch_watch_.seconds(),
                       .history = result_.history,
                       .stopping = stopping_.state(),
                       .images = images_,
                       .training_seconds = training_seconds_,
                       .seconds = watch_.seconds(),
                       .ended = over ? ended_ : std::nullopt,
                       .tensors = tensors()},
                      observer_);
  state_watch_ = Stopwatch();
}

void Training::resume() {
  const std::optional<TrainingState> state = checkpoints_->latest(identity(), observer_);
  if (!state) return;
  DRAPE_CHECK(state->epoch <= options_.epochs && state->progress.step <= rates_.size(),
              "resume: expected at most {} epochs of {} steps, got epoch {}, step {}",
              options_.epochs, rates_.size(), state->epoch, state->progress.step);
  assign_weights({state->tensors, {}}, tensors());
  best_.adopt();
  if (state->device != name(rates_.device())) {
    observer_.on_warning(
        fmt::format("resume: begun on {}, going on on {}: bits may differ from a "
                    "run that was not interrupted",
                    state->device, name(rates_.device())));
  }
  epoch_ = state->epoch;
  first_step_ = state->progress.step;
  progress_.write(state->progress);
  shuffle_.restore(shuffle_before_ = state->shuffling);
  mixing_.restore(mixing_before_ = state->mixing);
  stopping_.restore(state->stopping);
  images_ = state->images;
  training_seconds_ = state->training_seconds;
  result_.history = state->history;
  ended_ = state->ended;
  epoch_watch_ = Stopwatch(state->epoch_seconds);
  watch_ = Stopwatch(state->seconds);
  observer_.on_resume({.history = result_.history,
                       .best_epoch = stopping_.best_epoch(),
                       .epoch = epoch_,
                       .steps = first_step_});
}

}  // namespace

TrainResult train(Module& model, const Examples& training, const Examples& validation,
                  const TrainerOptions& options, Observer& observer,
                  const std::atomic<bool>& interrupted) {
  return Training(model, training, validation, options, observer, interrupted).run();
}

}  // namespace drape
