// train() against the same steps taken by hand from the library's parts: order, mixing, smoothing,
// dropout, learning rates and the optimiser's options, to the bit after every step.
#include "optim/training_steps.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/mixup.h"
#include "data/synthetic.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
#include "optim/trainer.h"
#include "tests/catch.h"
#include "tests/compare.h"

namespace drape::tests {
namespace {

using Trajectory = std::vector<std::vector<double>>;  // the weights after each step

// 44 garments: three steps of up to 16 an epoch, the last one smaller.
Examples few_garments() {
  constexpr std::int64_t kCount = 44;
  const DataSet data = synthetic_garments(5, kCount, 10);
  Examples all{Tensor::from(Shape{kCount, 28, 28, 1}, data.train.pixels),
               Tensor::from(Shape{kCount}, data.train.labels),
               {},
               kClasses};
  for (std::int32_t i = 0; i < kCount; ++i) all.indices.push_back(i);
  return all;
}

Sequential model_with_dropout() {
  Sequential model;
  model.add("flatten", Flatten())
      .add("hidden", Linear(28 * 28, 8))
      .add("dropout", Dropout(0.4))
      .add("linear", Linear(8, kClasses));
  Generator random(1, Purpose::initialization);
  model.initialize(random);
  model.to(DType::f64);
  return model;
}

std::vector<double> parameters_of(Module& model) {
  std::vector<double> all;
  for (const Tensor& parameter : model.parameters()) {
    const std::vector<double> some = values(parameter);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::unique_ptr<Optimizer> optimizer_for(Module& model, const TrainerOptions& told) {
  if (told.optimizer == OptimizerKind::sgd) {
    return std::make_unique<Sgd>(model.parameters(), SgdOptions{.momentum = told.momentum,
                                                                .weight_decay = told.weight_decay});
  }
  const bool decoupled = told.optimizer == OptimizerKind::adamw;
  return std::make_unique<Adam>(
      model.parameters(),
      AdamOptions{.weight_decay = told.weight_decay,
                  .decay = decoupled ? WeightDecay::decoupled : WeightDecay::l2});
}

Trajectory trained_by_hand(const Examples& data, const TrainerOptions& told) {
  Sequential model = model_with_dropout();
  const auto optimizer = optimizer_for(model, told);
  Generator shuffle(told.seed, Purpose::shuffle), mixing(told.seed, Purpose::mixup),
      dropout(told.seed, Purpose::dropout);
  const MixUp mixup(told.mixup_alpha);
  const Loss loss = mixup.on() ? Loss::binary_cross_entropy : Loss::softmax_cross_entropy;
  const std::int64_t count = Batches(data.indices, told.batch).size();
  const Schedule schedule{.kind = told.schedule,
                          .base = told.learning_rate,
                          .epochs = told.epochs,
                          .steps_per_epoch = count};
  Trajectory after;
  for (int epoch = 0; epoch < told.epochs; ++epoch) {
    const Batches batches(data.indices, told.batch, &shuffle);
    std::vector<Mix> mixes;
    for (std::int64_t i = 0; i < count && mixup.on(); ++i)
      mixes.push_back(mixup.draw(mixing, std::ssize(batches[i])));
    const BatchPlan plan(data.images, data.labels, data.classes, batches, {.mixes = mixes},
                         told.label_smoothing);
    for (std::int64_t i = 0; i < count; ++i) {
      const Batch batch = plan.gather(i, DType::f64);
      Pass pass = Pass::train(dropout);
      backward(loss_of(loss, model.forward(batch.x, pass), batch.targets, {}));
      optimizer->step(schedule.at(epoch * count + i));
      optimizer->clear_grads();
      after.push_back(parameters_of(model));
    }
  }
  return after;
}

Trajectory trained_by_trainer(const Examples& data, const TrainerOptions& told) {
  class Watch : public Observer {
   public:
    explicit Watch(Module& model) : model_(model) {}
    void on_step(const EpochProgress&) override { after.push_back(parameters_of(model_)); }
    Trajectory after;

   private:
    Module& model_;
  };
  Sequential model = model_with_dropout();
  Watch watch(model);
  const std::atomic<bool> never{false};
  train(model, data, data, told, watch, never);
  return watch.after;
}

}  // namespace

TEST_CASE("train() takes the steps that its options say, to the bit") {
  const Examples data = few_garments();
  for (const OptimizerKind optimizer :
       {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd}) {
    for (const double alpha : {0.0, 1.0}) {
      CAPTURE(name(optimizer), alpha);
      const TrainerOptions options{.epochs = 2,
                                   .batch = 16,
                                   .optimizer = optimizer,
                                   .learning_rate = 0.01,
                                   .schedule = ScheduleKind::cosine,
                                   .weight_decay = 0.1,
                                   .momentum = 0.7,
                                   .mixup_alpha = alpha,
                                   .label_smoothing = 0.2,
                                   .early_stopping{.patience = 0},
                                   .seed = 9};
      const Trajectory expected = trained_by_hand(data, options);
      REQUIRE(expected.size() == 6);
      const bool same = trained_by_trainer(data, options) == expected;  // too long to be printed
      CHECK(same);
    }
  }
}

}  // namespace drape::tests
