#include "optim/training_steps.h"

#include <algorithm>

#include "kernels/ceil_div.h"
#include "layers/losses.h"
#include "optim/adam.h"
#include "optim/sgd.h"

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

}  // namespace

TrainingSteps::TrainingSteps(Module& model, const Examples& training, const TrainerOptions& options,
                             Observer& observer)
    : model_(model),
      training_(training),
      options_(options),
      observer_(observer),
      loss_(options.mixup_alpha > 0.0 ? Loss::binary_cross_entropy : Loss::softmax_cross_entropy),
      dtype_(compute_type(model)),
      optimizer_(make_optimizer(model, options)),
      progress_(training.images.device()) {
  const Device device = training.images.device();
  const std::int64_t steps = Batches(training.indices, options.batch).size();
  rates_ = Tensor::zeros({steps}, DType::f64, device);
  const std::int64_t last = training.size() - (steps - 1) * options.batch;
  for (const std::int64_t rows : {std::min(options.batch, training.size()), last}) {
    each_piece(rows, [&](Rows piece) {
      const double share = static_cast<double>(piece.count) / static_cast<double>(rows);
      shares_[{piece.count, rows}] = Tensor::full({}, share, accumulator(dtype_), device);
    });
  }
  if (options.average_decay > 0.0) average_.emplace(model, *optimizer_, options.average_decay);
}

void TrainingSteps::plan(const Batches& batches, const EpochDraws& draws,
                         const std::vector<double>& rates) {
  if (batches_) {
    batches_->replace(batches, draws);
  } else {
    batches_.emplace(training_.images, training_.labels, training_.classes, batches, draws,
                     options_.label_smoothing);
  }
  rates_.assign(Tensor::from<double>(rates_.shape(), rates, rates_.device()));
}

void TrainingSteps::take(std::int64_t i) {
  if (options_.launching == Launching::each) return launch(i);
  const bool last = i + 1 == count(), recorded = step_.content().has_value();
  kernels::Repeated& repeated = last ? last_step_ : step_;
  on(device(), [&](auto tag) { repeated.run(tag, [&] { launch(i); }); });
  if (!recorded && step_.content()) observer_.on_recorded(*step_.content());
  if (repeated.problem().empty() || warned_) return;
  warned_ = true;
  observer_.on_warning("train: steps are not recorded, kernels are launched one by one: " +
                       repeated.problem());
}

void TrainingSteps::launch(std::int64_t i) {
  optimizer_->clear_grads();                          // of a step that could not be recorded
  Generator random(options_.seed, Purpose::dropout);  // the device counts on from step to step
  const std::uint64_t first_stream = random.state().id;
  each_piece(batches_->rows(i), [&](Rows piece) { add_gradients(i, piece, random); });
  if (options_.clip_norm > 0.0) optimizer_->clip_gradients(options_.clip_norm);
  optimizer_->take({.progress = progress_.address(),
                    .rates = rates_.data<double>(),
                    .streams = random.state().id - first_stream});
  optimizer_->clear_grads();
  if (average_) average_->update();
}

template <class Body>
void TrainingSteps::each_piece(std::int64_t rows, Body&& body) const {
  const std::int64_t most = kernels::ceil_div(rows, options_.pieces);
  for (std::int64_t first = 0; first < rows; first += most)
    body(Rows{first, std::min(most, rows - first)});
}

void TrainingSteps::add_gradients(std::int64_t i, Rows piece, Generator& random) {
  kernels::Progress* const progress = progress_.address();
  const Batch batch = batches_->gather(i, piece, dtype_, progress);
  const Pass pass = Pass::train(random, &progress->streams);
  const Tensor logits = model_.forward(batch.x, pass);
  const Tensor loss =
      loss_of(loss_, logits, batch.targets, {.labels = batch.labels, .progress = progress});
  if (piece.count == batches_->rows(i)) return backward(loss);
  backward(loss, shares_.at({piece.count, batches_->rows(i)}));
}

}  // namespace drape
