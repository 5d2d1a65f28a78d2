#include "optim/trainer.h"

#include <array>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>
#include <optional>

#include "core/placed.h"
#include "data/mixup.h"
#include "kernels/graph.h"
#include "layers/losses.h"
#include "optim/adam.h"
#include "optim/sgd.h"

namespace drape {
namespace {

// Seconds since it was made.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A copy of a model's best state, put back at the end, whatever the way out: a model in bf16 has
// the weights that its optimiser moves, in f32, and is from then on in f32.
class BestWeights {
 public:
  BestWeights(Module& model, const Optimizer& optimizer) : model_(model) {
    auto weight = optimizer.weights().begin();
    for (const NamedTensor& entry : model.state())
      state_.push_back(is_trained(entry.role) ? *weight++ : entry.tensor);
    for (const Tensor& tensor : state_) best_.push_back(tensor.clone());
  }
  BestWeights(const BestWeights&) = delete;
  BestWeights& operator=(const BestWeights&) = delete;
  ~BestWeights() {
    try {
      if (!restored_) restore();
    } catch (const Error&) {  // a lost device: the exception on its way out tells why
    }
  }

  void keep() {
    for (std::size_t i = 0; i < state_.size(); ++i) best_[i].assign(state_[i]);
  }

  void restore() {
    if (compute_type(model_) == DType::bf16) model_.to(DType::f32);
    std::vector<NamedTensor> state = model_.state();
    for (std::size_t i = 0; i < state.size(); ++i) state[i].tensor.assign(best_[i]);
    restored_ = true;
  }

 private:
  Module& model_;
  std::vector<Tensor> state_, best_;
  bool restored_ = false;
};

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

class Training {
 public:
  Training(Module& model, const Examples& training, const Examples& validation,
           const TrainerOptions& options, Observer& observer, const std::atomic<bool>& interrupted);

  TrainResult run();

 private:
  // Each returns why the run has to end here, if it has to.
  std::optional<StopReason> train_epoch(EpochRecord& record);
  std::optional<StopReason> validate(EpochRecord& record);
  std::optional<StopReason> finish_epoch(const EpochRecord& record, BestWeights& best);

  // Draws the next epoch's order, mixes and learning rates, and puts them where steps find them.
  void plan_epoch();
  // Asks the device for one step, on a batch of the size that batch i has, and does not wait.
  void step(std::int64_t i);
  // The same for each of its kernels by itself.
  void launch_step(std::int64_t i);
  std::optional<StopReason> diverged(double loss, const std::string& where);

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
  Generator shuffle_, mixing_;
  Schedule schedule_;
  std::int64_t steps_ = 0;  // planned so far
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
      shuffle_(options.seed, Purpose::shuffle),
      mixing_(options.seed, Purpose::mixup),
      progress_(training.images.device()) {
  DRAPE_CHECK(options.epochs >= 1, "train: expected epochs >= 1, got {}", options.epochs);
  DRAPE_CHECK(options.batch >= 1, "train: expected batch >= 1, got {}", options.batch);
  DRAPE_CHECK(std::isfinite(options.learning_rate) && options.learning_rate > 0.0,
              "train: expected a finite learning rate > 0, got {}", options.learning_rate);
  DRAPE_CHECK(training.size() > 0 && validation.size() > 0,
              "train: expected examples to train and to validate with, got {} and {}",
              training.size(), validation.size());
  schedule_ = {.kind = options.schedule,
               .base = options.learning_rate,
               .epochs = options.epochs,
               .steps_per_epoch = Batches(training.indices, options.batch).size()};
  rates_ = Tensor::zeros({schedule_.steps_per_epoch}, DType::f64, training.images.device());
}

TrainResult Training::run() {
  const Stopwatch watch;
  BestWeights best(model_, *optimizer_);
  observer_.on_begin({.epochs = options_.epochs, .images_per_epoch = training_.size()});
  for (int epoch = 1; epoch <= options_.epochs; ++epoch) {
    const Stopwatch epoch_watch;
    EpochRecord record{.epoch = epoch, .learning_rate = schedule_.at(steps_)};
    std::optional<StopReason> reason = train_epoch(record);
    if (!reason) reason = validate(record);
    record.seconds = epoch_watch.seconds();
    if (!reason) reason = finish_epoch(record, best);
    if (reason) {
      result_.stop_reason = *reason;
      break;
    }
  }
  best.restore();
  result_.best_epoch = stopping_.best_epoch();
  result_.images_per_second = static_cast<double>(images_) / std::max(training_seconds_, 1e-9);
  result_.seconds = watch.seconds();
  return result_;
}

std::optional<StopReason> Training::train_epoch(EpochRecord& record) {
  const Stopwatch watch;
  plan_epoch();
  double looked = 0.0;  // when progress was last looked at: a device has to be waited for
  for (std::int64_t i = 0; i < rates_.size(); ++i) {
    if (interrupted_.load(std::memory_order_relaxed)) return StopReason::interrupted;
    step(i);
    const bool last = i + 1 == rates_.size(), free = rates_.device() == Device::cpu;
    if (!free && !last && watch.seconds() - looked < options_.look_every) continue;
    looked = watch.seconds();
    const kernels::Progress so_far = progress_.read();
    if (so_far.failed_step > 0)
      return diverged(so_far.failed_loss, fmt::format("step {}", so_far.failed_step));
    const auto images = static_cast<double>(so_far.images);
    record.train_loss = so_far.loss_sum / images;
    record.train_accuracy = static_cast<double>(so_far.correct) / images;
    observer_.on_step(
        {record.epoch, so_far.images, record.train_loss, record.train_accuracy, watch.seconds()});
  }
  images_ += training_.size();
  training_seconds_ += watch.seconds();
  return std::nullopt;
}

void Training::plan_epoch() {
  const Batches batches(training_.indices, options_.batch, &shuffle_);
  std::vector<Mix> mixes;
  std::vector<double> rates;
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    if (mixup_.on())
      mixes.push_back(mixup_.draw(mixing_, static_cast<std::int64_t>(batches[i].size())));
    rates.push_back(schedule_.at(steps_++));
  }
  if (batches_) {
    batches_->replace(batches, mixes);
  } else {
    batches_.emplace(training_.images, training_.labels, training_.classes, batches, mixes);
  }
  rates_.assign(Tensor::from<double>(rates_.shape(), rates, rates_.device()));
  progress_.write({.streams = progress_.read().streams});
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

std::optional<StopReason> Training::finish_epoch(const EpochRecord& record, BestWeights& best) {
  result_.history.push_back(record);
  const double value = monitored(record, options_.early_stopping.monitor);
  const EarlyStopping::Verdict verdict = stopping_.update(record.epoch, value);
  const bool improved = verdict == EarlyStopping::Verdict::improved;
  if (improved) best.keep();
  observer_.on_epoch_end(result_.history, improved ? Standing::best : Standing::not_best);
  if (verdict == EarlyStopping::Verdict::stop) return StopReason::early_stopping;
  return std::nullopt;
}

}  // namespace

std::string_view name(StopReason reason) {
  constexpr std::array<std::string_view, 4> kNames{"max_epochs", "early_stopping", "interrupted",
                                                   "diverged"};
  return kNames[static_cast<std::size_t>(reason)];
}

TrainResult train(Module& model, const Examples& training, const Examples& validation,
                  const TrainerOptions& options, Observer& observer,
                  const std::atomic<bool>& interrupted) {
  return Training(model, training, validation, options, observer, interrupted).run();
}

}  // namespace drape
