// A training run may last as long as it likes: its thousandth step holds what its ten-thousandth
// does.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "data/synthetic.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "layers/batch_norm.h"
#include "layers/deform_conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"
#include "optim/trainer.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/skip.h"

namespace {

using drape::tests::kSanitized;

// What the process holds.
struct Held {
  std::int64_t storages, blocks, bytes, heap_blocks;
  bool operator==(const Held&) const = default;
};

Held held() {
  const drape::kernels::MemoryUse use = drape::kernels::memory_use(drape::Cpu{});
  return {drape::live_storages(), use.blocks, use.bytes, drape::tests::heap_blocks()};
}

// Memory of the process that is in use, in pages (proc(5), statm).
std::int64_t resident_pages() {
  std::int64_t whole = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> whole >> resident;
  return resident;
}

// Looks at ten moments that are equally far apart, the first of them after a tenth of the run.
class Watch : public drape::Observer {
 public:
  Watch(std::int64_t steps, std::function<void()> every_step)
      : apart_(steps / 10), every_step_(std::move(every_step)) {
    found.reserve(10);
    pages.reserve(10);
  }

  void on_step(const drape::EpochProgress&) override {
    every_step_();
    if (++step_ % apart_ != 0) return;
    found.push_back(held());
    pages.push_back(resident_pages());
  }

  bool steady() const {
    return std::ranges::all_of(found, [&](const Held& one) { return one == found.front(); });
  }

  std::vector<Held> found;
  std::vector<std::int64_t> pages;

 private:
  std::int64_t apart_, step_ = 0;
  std::function<void()> every_step_;
};

// A deformable network in little, trained with all that a step can do.
void train_small(std::int64_t steps, Watch& watch) {
  drape::Sequential model;
  model.add("pool", drape::MaxPool2d({.window = 4}))
      .add("conv", drape::DeformConv2d(1, 2, 3, {.padding = 1}))
      .add("norm", drape::BatchNorm(2, {.activation = drape::Activation::relu, .dropout = 0.2}))
      .add("flatten", drape::Flatten())
      .add("linear", drape::Linear(7 * 7 * 2, 10));
  drape::Generator random(1, drape::Purpose::initialization);
  model.initialize(random);
  const drape::DataSet data = drape::synthetic_garments(3, 20, 1);
  drape::Examples all{drape::Tensor::from(drape::Shape{20, 28, 28, 1}, data.train.pixels),
                      drape::Tensor::from(drape::Shape{20}, data.train.labels),
                      {},
                      drape::kClasses};
  for (std::int32_t i = 0; i < 20; ++i) all.indices.push_back(i);
  drape::Examples training = all;
  training.indices.clear();
  for (std::int64_t i = 0; i < 2 * steps; ++i)
    training.indices.push_back(static_cast<std::int32_t>(i % 20));
  const std::atomic<bool> never{false};
  const int before = drape::kernels::thread_count();
  drape::kernels::set_thread_count(1);  // there is too little to share
  train(model, training, all,
        {.epochs = 1, .batch = 2, .mixup_alpha = 1.0, .clip_norm = 1.0, .average_decay = 0.9},
        watch, never);
  drape::kernels::set_thread_count(before);
}

}  // namespace

TEST_CASE("ten thousand training steps hold no more than the first") {
  const std::int64_t steps = kSanitized ? 500 : 10'000;
  const std::int64_t before = drape::live_storages();
  Watch watch(steps, [] {});
  train_small(steps, watch);
  REQUIRE(watch.found.size() == 10);
  CHECK(watch.steady());
  CHECK(watch.found.front().storages > before);
  CHECK(drape::live_storages() == before);
  if (!kSanitized) CHECK(watch.pages.back() - watch.pages.front() <= 8);  // 32 KiB
}

TEST_CASE("a step that keeps a tensor, or a block of the heap, is seen to") {
  std::vector<drape::Tensor> tensors;
  tensors.reserve(1000);
  Watch tensor(100, [&] { tensors.push_back(drape::Tensor::zeros({1})); });
  train_small(100, tensor);
  CHECK_FALSE(tensor.steady());
  std::vector<std::unique_ptr<int>> blocks;
  blocks.reserve(1000);
  Watch heap(100, [&] { blocks.push_back(std::make_unique<int>(0)); });
  train_small(100, heap);
  CHECK_FALSE(heap.steady());
}
