// Whole training runs on CUDA beside the CPU: the batches, every optimiser, and the trainer.
#include <cmath>

#include "data/batches.h"
#include "data/synthetic.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "optim/trainer.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/devices.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

constexpr std::int64_t kImages = 24;

Sequential small_network() {
  const Activation relu = Activation::relu;
  Sequential model;
  model
      .add("conv", Conv2d(1, 4, 3, {.stride = 4, .padding = 1, .activation = relu}))  // 7x7
      .add("deform", DeformConv2d(4, 8, 3, {.padding = 1}))
      .add("norm", BatchNorm(8, {.activation = relu}))
      .add("pool", MaxPool2d({.window = 2}))  // 3x3
      .add("flatten", Flatten())
      .add("dropout", Dropout(0.2))
      .add("linear", Linear(72, 10));
  Generator random(7, Purpose::initialization);
  model.initialize(random);
  return model;
}

History train_on(Device device, DType dtype, const TrainerOptions& options) {
  const DataSet data = synthetic_garments(3, kImages, 8);
  const auto examples = [&](const LabelledImages& images) {
    std::vector<std::int32_t> all(images.labels.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
    const auto count = static_cast<std::int64_t>(all.size());
    return Examples{Tensor::from(Shape{count, 28, 28, 1}, images.pixels).to(device),
                    Tensor::from(Shape{count}, images.labels).to(device), all, kClasses};
  };
  Sequential model = small_network();
  model.to(dtype);
  model.to(device);
  Observer silent;
  const std::atomic<bool> never{false};
  return train(model, examples(data.train), examples(data.test), options, silent, never).history;
}

void check_alike(const History& cpu, const History& cuda, double tolerance) {
  REQUIRE(cpu.size() == cuda.size());
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    CAPTURE(i);
    CHECK(cuda[i].train_loss == Approx(cpu[i].train_loss).epsilon(tolerance));
    CHECK(cuda[i].validation_loss == Approx(cpu[i].validation_loss).epsilon(tolerance));
    CHECK(std::abs(cuda[i].train_accuracy - cpu[i].train_accuracy) <= 25 * tolerance);
    CHECK(std::abs(cuda[i].validation_accuracy - cpu[i].validation_accuracy) <= 25 * tolerance);
  }
}

}  // namespace

TEST_CASE("training on CUDA goes as on the CPU", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const OptimizerKind optimizer :
       {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd}) {
    const TrainerOptions options{.epochs = 2,
                                 .batch = 7,
                                 .optimizer = optimizer,
                                 .learning_rate = 1e-2,
                                 .weight_decay = 1e-2,
                                 .mixup_alpha = optimizer == OptimizerKind::sgd ? 1.0 : 0.0};
    for (const DType dtype : {DType::f64, DType::f32}) {
      CAPTURE(static_cast<int>(optimizer), name(dtype));
      check_alike(train_on(Device::cpu, dtype, options), train_on(Device::cuda, dtype, options),
                  dtype == DType::f64 ? 1e-9 : 1e-2);
    }
  }
}

}  // namespace drape::tests
