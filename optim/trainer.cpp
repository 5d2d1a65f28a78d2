#include "optim/trainer.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/stopwatch.h"
#include "data/mixup.h"
#include "optim/best_weights.h"
#include "optim/not_finite.h"
#include "optim/training_steps.h"

namespace drape {
namespace {

const TrainerOptions& validated(const Examples& training, const Examples& validation,
                                const TrainerOptions& options) {
  validate(options);
  DRAPE_CHECK(training.size() > 0 && validation.size() > 0,
              "train: expected examples to train and to validate with, got {} and {}",
              training.size(), validation.size());
  return options;
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
  // Model and average change places, if there is one.
  void exchange_average() {
    if (steps_.average() != nullptr) steps_.average()->exchange();
  }

  // Draws the epoch's order, mixes and learning rates, and puts them where steps find them.
  void plan_epoch();
  std::optional<StopReason> diverged(double loss, std::int64_t step);

  // What the run is, and where it stands.
  RunIdentity identity() const;
  std::int64_t steps_before() const { return (epoch_ - 1) * schedule_.steps_per_epoch; }
  // Handles to all that steps change, by the names that they have in a state.
  NamedTensors tensors();
  void write_state(const kernels::Progress& progress);
  // Goes on from a state, if there is one.
  void resume(const TrainingState& state);

  Module& model_;
  const Examples &training_, &validation_;
  const TrainerOptions options_;
  Observer& observer_;
  const std::atomic<bool>& interrupted_;

  const MixUp mixup_;
  TrainingSteps steps_;
  EarlyStopping stopping_;
  BestWeights best_;
  std::optional<Checkpoints> checkpoints_;
  Generator shuffle_, mixing_, augmenting_;
  Schedule schedule_;
  int epoch_ = 1;
  RandomStream shuffle_before_, mixing_before_, augmenting_before_;  // the epoch
  std::int64_t first_step_ = 0;                                      // of it that is not done yet
  std::optional<StopReason> ended_;
  Stopwatch watch_, epoch_watch_, state_watch_;  // of everything, the epoch, since the last state
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
      steps_(model, training, validated(training, validation, options_), observer),
      stopping_(options.early_stopping),
      best_(model, steps_.optimizer()),
      shuffle_(options.seed, Purpose::shuffle),
      mixing_(options.seed, Purpose::mixup),
      augmenting_(options.seed, Purpose::augmentation) {
  schedule_ = {.kind = options.schedule,
               .base = options.learning_rate,
               .epochs = options.epochs,
               .steps_per_epoch = steps_.count(),
               .last = options.last_learning_rate};
  if (options.checkpoints.wanted()) checkpoints_.emplace(options.checkpoints);
}

TrainResult Training::run() {
  std::optional<TrainingState> state;  // before anybody is told: one that does not fit ends it here
  if (checkpoints_) state = checkpoints_->latest(identity(), observer_);
  observer_.on_begin({.epochs = options_.epochs, .images_per_epoch = training_.size()});
  if (state) resume(*state);
  while (!ended_) {
    ended_ = run_epoch();
    if (!ended_) ++epoch_;
  }
  if (checkpoints_ && *ended_ != StopReason::diverged) write_state(steps_.progress());
  result_.resumable = checkpoints_ && checkpoints_->any();
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
  if (reason) return reason;
  exchange_average();  // what is judged and, if it is the best, kept
  reason = validate(record);
  record.seconds = epoch_watch_.seconds();
  if (!reason) reason = finish_epoch(record);
  exchange_average();
  if (reason) return reason;
  first_step_ = 0;
  epoch_watch_ = Stopwatch();
  return std::nullopt;
}

std::optional<StopReason> Training::train_epoch(EpochRecord& record) {
  plan_epoch();
  double looked = epoch_watch_.seconds();  // at progress, for which a device has to be waited for
  if (first_step_ > 0) note(steps_.progress(), record);
  for (std::int64_t i = first_step_; i < steps_.count(); ++i) {
    if (interrupted_.load(std::memory_order_relaxed)) return StopReason::interrupted;
    steps_.take(i);
    const bool last = i + 1 == steps_.count(), free = steps_.device() == Device::cpu;
    const bool due =
        checkpoints_ && checkpoints_->due(steps_before() + i + 1, state_watch_.seconds());
    if (!free && !last && !due && epoch_watch_.seconds() - looked < options_.look_every) continue;
    looked = epoch_watch_.seconds();
    const kernels::Progress so_far = steps_.progress();
    if (so_far.failed_step > 0) return diverged(so_far.failed_loss, so_far.failed_step);
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
  augmenting_before_ = augmenting_.state();
  const Batches batches(training_.indices, options_.batch, &shuffle_);
  std::vector<Mix> mixes;
  std::vector<kernels::Augmentation> augmentations;
  std::vector<double> rates;
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    if (mixup_.on())
      mixes.push_back(mixup_.draw(mixing_, static_cast<std::int64_t>(batches[i].size())));
    rates.push_back(schedule_.at(steps_before() + i));
  }
  if (options_.augmentation.on()) {
    const Shape& images = training_.images.shape();
    augmentations = draw_augmentations(options_.augmentation, augmenting_, training_.size(),
                                       images[1], images[2]);
  }
  steps_.plan(batches, {mixes, augmentations}, rates);
  if (first_step_ == 0) steps_.go_on_from({.streams = steps_.progress().streams});
}

std::optional<StopReason> Training::validate(EpochRecord& record) {
  const Evaluation evaluation = evaluate(model_, validation_, steps_.loss());
  record.validation_loss = evaluation.loss;
  record.validation_accuracy = evaluation.accuracy;
  return diverged(evaluation.loss, 0);
}

// step: of the epoch, counted from 1; 0: validation.
std::optional<StopReason> Training::diverged(double loss, std::int64_t step) {
  if (std::isfinite(loss)) return std::nullopt;
  std::string culprit = first_not_finite(model_);
  if (culprit.empty() && step > 0)
    culprit = first_not_finite_output(model_, steps_.images(step - 1), options_.seed);
  const double got = std::isnan(loss) ? std::abs(loss) : loss;  // the sign of a NaN means nothing
  result_.divergence = fmt::format(
      "train: expected a finite loss, got {} in epoch {}, {}; {}", got, result_.history.size() + 1,
      step > 0 ? fmt::format("step {}", step) : "validation",
      culprit.empty() ? "all weights are finite" : "not finite: " + culprit);
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
  all["elements"] = name(steps_.dtype());
  return all;
}

NamedTensors Training::tensors() {
  NamedTensors all = best_.tensors();
  if (steps_.average() != nullptr) {
    const NamedTensors averages = steps_.average()->tensors();
    all.insert(all.end(), averages.begin(), averages.end());
  }
  steps_.optimizer().visit([&](std::string_view name, Tensor& tensor) {
    all.emplace_back(fmt::format("optimizer.{}", name), tensor);
  });
  return all;
}

void Training::write_state(const kernels::Progress& progress) {
  if (progress.failed_step > 0) return;  // nothing to go on from
  const bool over = ended_ && *ended_ != StopReason::interrupted;
  checkpoints_->write(steps_before() + progress.step,
                      {.identity = identity(),
                       .device = std::string(name(steps_.device())),
                       .epoch = epoch_,
                       .progress = progress,
                       .shuffling = shuffle_before_,
                       .mixing = mixing_before_,
                       .augmenting = augmenting_before_,
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

void Training::resume(const TrainingState& state) {
  DRAPE_CHECK(state.epoch <= options_.epochs && state.progress.step <= steps_.count(),
              "resume: expected at most {} epochs of {} steps, got epoch {}, step {}",
              options_.epochs, steps_.count(), state.epoch, state.progress.step);
  assign_weights({state.tensors, {}}, tensors());
  best_.adopt();
  if (state.device != name(steps_.device())) {
    observer_.on_warning(
        fmt::format("resume: begun on {}, going on on {}: bits may differ from a "
                    "run that was not interrupted",
                    state.device, name(steps_.device())));
  }
  epoch_ = state.epoch;
  first_step_ = state.progress.step;
  steps_.go_on_from(state.progress);
  shuffle_.restore(shuffle_before_ = state.shuffling);
  mixing_.restore(mixing_before_ = state.mixing);
  augmenting_.restore(augmenting_before_ = state.augmenting);
  stopping_.restore(state.stopping);
  images_ = state.images;
  training_seconds_ = state.training_seconds;
  result_.history = state.history;
  ended_ = state.ended;
  epoch_watch_ = Stopwatch(state.epoch_seconds);
  watch_ = Stopwatch(state.seconds);
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
