#include "optim/learning_rate_search.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

#include "kernels/ceil_div.h"
#include "optim/observers.h"
#include "optim/trainer.h"

namespace drape {
namespace {

constexpr double kSmoothing = 0.98, kHopeless = 4.0;

// Notes the loss of every step, and ends the run when it has grown too large.
class Notes : public Observer {
 public:
  Notes(std::vector<RateTrial>& trials, const Schedule& schedule,
        const std::atomic<bool>& interrupted)
      : trials_(trials), schedule_(schedule), interrupted_(interrupted) {}

  void on_step(const EpochProgress& progress) override {
    if (progress.images <= images_) images_ = 0, sum_ = 0.0;  // another epoch
    const double sum = progress.loss * static_cast<double>(progress.images);
    const double loss = (sum - sum_) / static_cast<double>(progress.images - images_);
    images_ = progress.images;
    sum_ = sum;
    const auto step = static_cast<std::int64_t>(trials_.size());
    average_ = kSmoothing * average_ + (1.0 - kSmoothing) * loss;
    const double smoothed = average_ / (1.0 - std::pow(kSmoothing, static_cast<double>(step + 1)));
    trials_.push_back({schedule_.at(step), loss, smoothed});
    lowest_ = std::min(lowest_, smoothed);
    done = interrupted_ || smoothed > kHopeless * lowest_ || step + 1 == schedule_.steps();
  }

  std::atomic<bool> done{false};

 private:
  std::vector<RateTrial>& trials_;
  const Schedule schedule_;
  const std::atomic<bool>& interrupted_;
  std::int64_t images_ = 0;
  double sum_ = 0.0, average_ = 0.0, lowest_ = std::numeric_limits<double>::infinity();
};

// A model's state, put back as it was, whatever the way out.
class Unchanged {
 public:
  explicit Unchanged(Module& model) : model_(model), dtype_(compute_type(model)) {
    for (const NamedTensor& entry : model.state()) before_.push_back(entry.tensor.clone());
  }
  Unchanged(const Unchanged&) = delete;
  Unchanged& operator=(const Unchanged&) = delete;
  ~Unchanged() {
    try {
      if (!restored_) restore();
    } catch (const std::exception&) {  // a lost device: what is on its way out tells why
    }
  }

  void restore() {
    model_.to(dtype_);  // training leaves a model in bf16 in f32
    std::vector<NamedTensor> state = model_.state();
    for (std::size_t i = 0; i < state.size(); ++i) state[i].tensor.assign(before_[i]);
    restored_ = true;
  }

 private:
  Module& model_;
  DType dtype_;
  std::vector<Tensor> before_;
  bool restored_ = false;
};

// The slope over a tenth of the trials, so that one batch decides nothing; the first tenth, which
// smoothing has not reached, is left out. The rates' logarithms are equidistant.
double steepest(const std::vector<RateTrial>& trials) {
  const std::size_t reach = std::max<std::size_t>(1, trials.size() / 10);
  const auto lowest = static_cast<std::size_t>(
      std::ranges::min_element(trials, {}, &RateTrial::smoothed) - trials.begin());
  double rate = 0.0, steepest = 0.0;
  for (std::size_t i = reach; i + reach <= lowest; ++i) {
    const double slope = trials[i + reach].smoothed - trials[i].smoothed;
    if (slope < steepest) {
      steepest = slope;
      rate = trials[i + reach / 2].rate;
    }
  }
  return rate;
}

}  // namespace

RateFinding search_learning_rate(Module& model, const Examples& training,
                                 const TrainerOptions& options, const RateRange& range,
                                 const std::atomic<bool>& interrupted) {
  DRAPE_CHECK(range.lowest > 0.0 && range.lowest < range.highest && std::isfinite(range.highest),
              "learning rate search: expected 0 < lowest < highest, got {} and {}", range.lowest,
              range.highest);
  DRAPE_CHECK(range.steps >= 10, "learning rate search: expected at least 10 steps, got {}",
              range.steps);
  validate(options);
  Examples some = training;
  Generator shuffle(options.seed, Purpose::shuffle);
  const Batches shuffled(training.indices, options.batch, &shuffle);  // they may lie class by class
  some.indices.assign(shuffled.indices().begin(), shuffled.indices().end());
  some.indices.resize(static_cast<std::size_t>(
      std::min(training.size(), std::min(options.batch, training.size()) * range.steps)));
  const std::int64_t steps = Batches(some.indices, options.batch).size();
  TrainerOptions trial = options;
  trial.checkpoints = {};
  trial.early_stopping.patience = 0;
  trial.look_every = 0.0;
  trial.schedule = ScheduleKind::exponential;
  trial.learning_rate = range.lowest;
  trial.last_learning_rate = range.highest;
  trial.epochs = static_cast<int>(
      kernels::ceil_div<std::int64_t>(range.steps, std::max<std::int64_t>(steps, 1)));
  Examples validation = some;
  validation.indices.resize(std::min<std::size_t>(validation.indices.size(), 1));
  RateFinding finding;
  Notes notes(finding.trials,
              {.kind = trial.schedule,
               .base = range.lowest,
               .epochs = trial.epochs,
               .steps_per_epoch = steps,
               .last = range.highest},
              interrupted);
  Unchanged before(model);
  train(model, some, validation, trial, notes, notes.done);
  before.restore();
  finding.steepest = steepest(finding.trials);
  return finding;
}

}  // namespace drape
