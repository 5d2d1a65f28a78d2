// A training step that was taken before asks nobody for memory.
#include "tests/allocations.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/synthetic.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "models/build.h"
#include "models/standard.h"
#include "optim/trainer.h"
#include "tests/catch.h"
#include "tests/devices.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

// How often the heap, and the system for a device's blocks, were asked for memory.
struct Asked {
  explicit Asked(Device device)
      : system(on(device, [](auto tag) { return kernels::memory_use(tag).from_system; })),
        heap(heap_allocations()) {}

  // "2 of the heap, 1 of the system"
  std::string until(const Asked& later) const {
    return fmt::format("{} of the heap, {} of the system", later.heap - heap,
                       later.system - system);
  }

  std::int64_t system, heap;
};

std::string asked_by(const std::function<void()>& work) {
  const Asked before(Device::cpu);
  work();
  return before.until(Asked(Device::cpu));
}

const std::string kNothing = "0 of the heap, 0 of the system";

// What every step asks for, but those of the first epochs and each epoch's first.
class Watch : public Observer {
 public:
  explicit Watch(Device device) : device_(device) { found.reserve(100); }

  void on_step(const EpochProgress& progress) override {
    const Asked now(device_);
    if (progress.epoch > kWarmUp && progress.epoch == epoch_) found.push_back(before_.until(now));
    epoch_ = progress.epoch;
    before_ = Asked(device_);
  }

  static constexpr int kWarmUp = 2;
  std::vector<std::string> found;

 private:
  Device device_;
  int epoch_ = 0;
  Asked before_{device_};
};

// Twenty garments.
Examples garments(Device device) {
  const DataSet data = synthetic_garments(3, 20, 1);
  Examples all{Tensor::from(Shape{20, 28, 28, 1}, data.train.pixels).to(device),
               Tensor::from(Shape{20}, data.train.labels).to(device),
               {},
               kClasses};
  for (std::int32_t i = 0; i < 20; ++i) all.indices.push_back(i);
  return all;
}

// Two convolutions, normalised, with dropout.
Sequential normalized_cnn() {
  const BatchNormOptions relu{.activation = Activation::relu, .dropout = 0.1};
  Sequential model;
  model.add("conv1", Conv2d(1, 32, 3, {.padding = 1}))
      .add("norm1", BatchNorm(32, relu))
      .add("pool1", MaxPool2d({.window = 2}))
      .add("conv2", Conv2d(32, 64, 3, {.padding = 1}))
      .add("norm2", BatchNorm(64, relu))
      .add("flatten", Flatten())
      .add("dropout", Dropout(0.3))
      .add("linear", Linear(14 * 14 * 64, 10));
  return model;
}

}  // namespace

TEST_CASE("what is asked of the heap and of the system is counted", "[allocations]") {
  CHECK(asked_by([] {}) == kNothing);
  std::vector<std::unique_ptr<int>> kept(2);
  CHECK(asked_by([&] {
          for (auto& one : kept) one = std::make_unique<int>(7);
        }) == "2 of the heap, 0 of the system");
  constexpr std::size_t kBytes = 1'234'567;
  const auto allocate = [&] { kernels::release(Cpu{}, kernels::allocate(Cpu{}, kBytes), kBytes); };
  CHECK_THAT(asked_by(allocate), ContainsSubstring(" 1 of the system"));
  if (!kSanitized) CHECK(asked_by(allocate) == kNothing);
}

TEST_CASE("a task needs no heap, whatever it refers to", "[allocations]") {
  const int before = kernels::thread_count();
  kernels::set_thread_count(3);
  std::int64_t sums[64] = {};
  const std::int64_t a = 1, b = 2, c = 3, d = 4;
  CHECK(asked_by([&] {
          kernels::parallel_for(64, [&](std::int64_t i) { sums[i] = a + b + c + d + i; });
        }) == kNothing);
  CHECK(sums[63] == 73);
  kernels::set_thread_count(before);
}

TEST_CASE("a step of each system on the CPU asks nobody for memory", "[allocations]") {
  if (kSanitized) return skip("every block comes from the system");
  const int before = kernels::thread_count();
  kernels::set_thread_count(1);
  const std::atomic<bool> never{false};
  const Examples all = garments(Device::cpu);
  for (const System& system : systems()) {
    CAPTURE(system.name);
    Sequential model = build_system(system);
    Generator initialization(1, Purpose::initialization);
    model.initialize(initialization);
    Watch watch(Device::cpu);
    train(model, all, all,
          {.epochs = Watch::kWarmUp + 1,
           .batch = 6,
           .mixup_alpha = system.mixup_alpha,
           .early_stopping{.patience = 0}},
          watch, never);
    CHECK(watch.found == std::vector<std::string>(3, kNothing));
  }
  kernels::set_thread_count(before);
}

TEST_CASE("a training step asks nobody for memory, once it was taken before", "[allocations]") {
  const int before = kernels::thread_count();
  kernels::set_thread_count(1);  // how many blocks are in use at once depends on the threads
  const std::atomic<bool> never{false};
  for (const Device device : devices()) {
    if (kSanitized && device == Device::cpu) continue;  // every block comes from the system
    for (Sequential (*network)() : {standard_cnn, normalized_cnn}) {
      for (const double mixup_alpha : {0.0, 1.0}) {
        CAPTURE(name(device), network == standard_cnn, mixup_alpha);
        Sequential model = network();
        Generator initialization(1, Purpose::initialization);
        model.initialize(initialization);
        model.to(device);
        Watch watch(device);
        const Examples all = garments(device);
        train(model, all, all,
              {.epochs = Watch::kWarmUp + 1,
               .batch = 6,
               .mixup_alpha = mixup_alpha,
               .early_stopping{.patience = 0},
               .look_every = 0.0},
              watch, never);
        CHECK(watch.found == std::vector<std::string>(3, kNothing));
      }
    }
  }
  kernels::set_thread_count(before);
}

}  // namespace drape::tests
