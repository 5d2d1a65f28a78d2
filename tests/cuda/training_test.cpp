// Whole training runs on CUDA beside the CPU: the batches, every optimiser, and the trainer.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include "core/placed.h"
#include "data/batches.h"
#include "data/synthetic.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/losses.h"
#include "layers/max_pool2d.h"
#include "models/build.h"
#include "optim/metrics.h"
#include "optim/trainer.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/devices.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

constexpr std::int64_t kImages = 16;

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

// A run's history, and the weights that it ends with.
struct Run {
  History history;
  std::vector<Tensor> weights;
};

Run run_on(Device device, DType dtype, const TrainerOptions& options, Observer& observer) {
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
  const std::atomic<bool> never{false};
  Run run{train(model, examples(data.train), examples(data.test), options, observer, never).history,
          model.parameters()};
  for (EpochRecord& record : run.history) record.seconds = 0.0;
  return run;
}

History train_on(Device device, DType dtype, const TrainerOptions& options) {
  Observer silent;
  return run_on(device, dtype, options, silent).history;
}

// What was said of recording.
class Listener : public Observer {
 public:
  void on_recorded(const kernels::GraphContent& step) override { recorded.push_back(step); }
  void on_warning(const std::string& line) override { warnings.push_back(line); }

  std::vector<kernels::GraphContent> recorded;
  std::vector<std::string> warnings;
};

// Of a few images: rounding moves some of them to another class.
void check_alike(const History& cpu, const History& cuda, double tolerance) {
  const double most = std::min(25 * tolerance, 0.5);
  REQUIRE(cpu.size() == cuda.size());
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    CAPTURE(i);
    CHECK(cuda[i].train_loss == Approx(cpu[i].train_loss).epsilon(tolerance));
    CHECK(cuda[i].validation_loss == Approx(cpu[i].validation_loss).epsilon(tolerance));
    CHECK(std::abs(cuda[i].train_accuracy - cpu[i].train_accuracy) <= most);
    CHECK(std::abs(cuda[i].validation_accuracy - cpu[i].validation_accuracy) <= most);
  }
}

// A layer of every kind.
Sequential bf16_network() {
  Sequential model;
  model.add("conv", Conv2d(1, 4, 3, {.stride = 4, .padding = 1}))
      .add("deform", DeformConv2d(4, 4, 3, {.padding = 1}))
      .add("norm", BatchNorm(4, {.activation = Activation::relu}))
      .add("pool", MaxPool2d({.window = 2}))
      .add("flatten", Flatten())
      .add("linear", Linear(36, 10));
  Generator random(7, Purpose::initialization);
  model.initialize(random);
  return model;
}

// The stored images and labels of a few examples.
Examples few_examples(Device device) {
  const DataSet data = synthetic_garments(3, kImages, 8);
  return {Tensor::from(Shape{8, 28, 28, 1}, data.test.pixels).to(device),
          Tensor::from(Shape{8}, data.test.labels).to(device),
          {0, 1, 2, 3, 4, 5, 6, 7},
          kClasses};
}

}  // namespace

TEST_CASE("a model in bf16 does what it does in f64, and keeps its statistics in f32", "[cuda]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  Sequential exact = bf16_network(), rounded = bf16_network();
  exact.to(DType::f64);
  rounded.to(DType::bf16);
  rounded.to(Device::cuda);
  for (const NamedTensor& entry : rounded.state()) {
    CHECK(entry.tensor.dtype() == (entry.role == Role::parameter ? DType::bf16 : DType::f32));
  }
  const Examples cpu = few_examples(Device::cpu), cuda = few_examples(Device::cuda);
  const Mix mix{.lambda = 0.75, .order = {7, 6, 5, 4, 3, 2, 1, 0}};
  const Batch a = gather_batch(cpu.images, cpu.labels, cpu.indices, kClasses, mix, DType::f64);
  const Batch b = gather_batch(cuda.images, cuda.labels, cuda.indices, kClasses, mix, DType::bf16);
  CHECK(difference(a.x, b.x) <= 0x1p-8);  // pixels of at most 1, rounded once
  CHECK(b.x.dtype() == DType::bf16);
  CHECK(difference(a.targets, b.targets) == 0.0);
  CHECK(b.targets.dtype() == DType::f32);
  Generator random(1, Purpose::dropout);
  Pass pass = Pass::train(random);
  const Tensor y = exact.forward(a.x, pass), z = rounded.forward(b.x, pass);
  // Weights and five layers' results are rounded: seen is 1.2 times 2^-8.
  CHECK(difference(y, z) <= 0x4p-8 * largest(y));
  Placed<kernels::Progress> here(Device::cpu), there(Device::cuda);
  const double loss = softmax_cross_entropy(y, a.targets).item();
  softmax_cross_entropy(z.detach().to(Device::cpu).to(DType::f32), a.targets.to(DType::f32),
                        {.labels = a.labels, .progress = here.address()});
  CHECK(softmax_cross_entropy(z, b.targets, {.labels = b.labels, .progress = there.address()})
            .item() == Approx(loss).epsilon(1e-3));
  CHECK(there.read().correct == here.read().correct);
  CHECK(evaluate(rounded, cuda, Loss::softmax_cross_entropy).loss ==
        Approx(evaluate(exact, cpu, Loss::softmax_cross_entropy).loss).epsilon(1e-3));
}

TEST_CASE("training on CUDA goes as on the CPU", "[cuda][training]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const OptimizerKind optimizer :
       {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd}) {
    const TrainerOptions options{.epochs = kEmulated ? 1 : 2,
                                 .batch = 6,
                                 .optimizer = optimizer,
                                 .learning_rate = 1e-2,
                                 .weight_decay = 1e-2,
                                 .mixup_alpha = optimizer == OptimizerKind::sgd ? 1.0 : 0.0};
    for (const DType dtype : {DType::f64, DType::f32}) {
      if (kEmulated && dtype == DType::f32 && optimizer == OptimizerKind::adamw) continue;
      CAPTURE(static_cast<int>(optimizer), name(dtype));
      check_alike(train_on(Device::cpu, dtype, options), train_on(Device::cuda, dtype, options),
                  dtype == DType::f64 ? 1e-8 : 1e-2);
    }
  }
}

TEST_CASE("training with all that can be added to it goes on CUDA as on the CPU",
          "[cuda][training]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const TrainerOptions options{
      .epochs = kEmulated ? 1 : 2,
      .batch = 6,
      .optimizer = OptimizerKind::sgd,
      .learning_rate = 1e-1,
      .mixup_alpha = 1.0,
      .label_smoothing = 0.1,
      .augmentation{.shift = 3, .mirroring = Mirroring::half, .erase = 0.5},
      .clip_norm = 0.05,
      .average_decay = 0.5,
      .pieces = 2};
  const History exact = train_on(Device::cpu, DType::f64, options);
  check_alike(exact, train_on(Device::cuda, DType::f64, options), 1e-8);
  check_alike(exact, train_on(Device::cuda, DType::f32, options), 1e-2);
  // Losses in bf16 as far apart as without all this: the test below.
  check_alike(exact, train_on(Device::cuda, DType::bf16, options), 5e-2);
}

TEST_CASE("recorded steps train the same bits as kernels launched one by one", "[cuda][steps]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  for (const OptimizerKind optimizer : {OptimizerKind::adam, OptimizerKind::sgd}) {
    CAPTURE(static_cast<int>(optimizer));
    TrainerOptions options{.epochs = 4,
                           .batch = 5,  // the last has one image
                           .optimizer = optimizer,
                           .learning_rate = 1e-2,
                           .schedule = ScheduleKind::cosine,
                           .mixup_alpha = 1.0,
                           .early_stopping{.patience = 0}};
    const bool with_all = optimizer == OptimizerKind::sgd;
    if (with_all) {
      options.augmentation.shift = 2;
      options.clip_norm = 0.5;
      options.average_decay = 0.9;
      options.pieces = 2;
    }
    Listener recorded, each;
    const Run with = run_on(Device::cuda, DType::f32, options, recorded);
    options.launching = Launching::each;
    const Run without = run_on(Device::cuda, DType::f32, options, each);
    CHECK(with.history == without.history);
    CHECK(std::ranges::equal(with.weights, without.weights, same_bits));
    CHECK(recorded.warnings.empty());
    REQUIRE(recorded.recorded.size() == 1);
    CHECK(recorded.recorded[0].names.front() == "gather_batch");
    CHECK(recorded.recorded[0].names.back() == (with_all ? "average_step" : "adam_step"));
    CHECK(each.recorded.empty());
  }
}

TEST_CASE("training in bf16 goes as in f32, and leaves a model in f32", "[cuda][steps]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  const TrainerOptions options{.epochs = 3, .batch = 5, .learning_rate = 2e-3};
  Observer silent;
  const Run wide = run_on(Device::cuda, DType::f32, options, silent);
  const Run narrow = run_on(Device::cuda, DType::bf16, options, silent);
  check_alike(wide.history, narrow.history, 3e-2);
  CHECK(narrow.history != wide.history);
  for (const Tensor& weight : narrow.weights) CHECK(weight.dtype() == DType::f32);
  const Tensor& filters = narrow.weights.front();
  CHECK_FALSE(same_bits(filters, filters.to(DType::bf16).to(DType::f32)));
}

TEST_CASE("a run whose steps cannot be recorded says so once, and trains", "[cuda][steps]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  class Waits : public Module {  // for the device
   public:
    Tensor forward(const Tensor& x, const Pass&) override {
      largest(x);
      return x;
    }
    Shape output_shape(const Shape& x) const override { return x; }
  };
  Sequential model;
  model.add("flatten", Flatten()).add("waits", Waits()).add("linear", Linear(784, 10));
  model.to(Device::cuda);
  const Examples examples = few_examples(Device::cuda);
  Listener listener;
  const std::atomic<bool> never{false};
  const TrainResult result = train(
      model, examples, examples, {.epochs = 3, .batch = 3, .learning_rate = 1e-2}, listener, never);
  CHECK(result.history.back().train_loss < result.history.front().train_loss);
  REQUIRE(listener.warnings.size() == 1);
  CHECK_THAT(listener.warnings[0],
             ContainsSubstring("train: steps are not recorded, kernels are launched one by one: "));
}

// The list is printed with --success.
TEST_CASE("a step of each system is a handful of kernels", "[cuda][steps]") {
  if (const std::string why = no_cuda(); !why.empty()) return skip(why);
  class Recorder : public Listener {  // ends the run
   public:
    void on_recorded(const kernels::GraphContent& step) override {
      Listener::on_recorded(step);
      done = true;
    }
    std::atomic<bool> done = false;
  };
  struct Limit {
    std::string system;
    std::int64_t kernels;
  };
  if constexpr (kCudaBuilt) set_cuda_math(Math::tf32);  // as training does unless told otherwise
  for (const Limit& limit : std::vector<Limit>{{"standard", 16},
                                               {"deep", 28},
                                               {"dilated2", 16},
                                               {"dilated10", 16},
                                               {"deformable", 24},
                                               {"enhanced", 38},
                                               {"standard_mixup", 16},
                                               {"deformable_mixup", 24}}) {
    const System& system = find_system(limit.system);
    Sequential model = build_system(system);
    model.to(Device::cuda);
    Examples examples = few_examples(Device::cuda);
    // A device's libraries choose their kernels by the batch.
    constexpr std::int64_t kBatch = kEmulated ? 1 : 128;
    examples.indices.assign(static_cast<std::size_t>(3 * kBatch), 0);
    Recorder recorder;
    train(model, examples, examples, {.batch = kBatch, .mixup_alpha = system.mixup_alpha}, recorder,
          recorder.done);
    REQUIRE(recorder.recorded.size() == 1);
    const kernels::GraphContent& step = recorder.recorded[0];
    CAPTURE(limit.system, step.names);
    CHECK(step.kernels <= limit.kernels);
    if (kEmulated) CHECK(step.names.size() == static_cast<std::size_t>(step.kernels));
  }
  if constexpr (kCudaBuilt) set_cuda_math(Math::f32);
}

}  // namespace drape::tests
