// A training step that was taken before asks nobody for memory.
#include "tests/allocations.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/losses.h"
#include "layers/max_pool2d.h"
#include "models/standard.h"
#include "optim/adam.h"
#include "tests/catch.h"
#include "tests/gradient_check.h"
#include "tests/skip.h"

namespace drape::tests {
namespace {

// What some work asks for: "2 of the heap, 1 of the system".
std::string asked_by(const std::function<void()>& work) {
  const std::int64_t system = kernels::memory_use(Cpu{}).from_system, heap = heap_allocations();
  work();
  const std::int64_t more = heap_allocations() - heap;
  return fmt::format("{} of the heap, {} of the system", more,
                     kernels::memory_use(Cpu{}).from_system - system);
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

const std::string kNothing = "0 of the heap, 0 of the system";

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

TEST_CASE("a training step asks for memory when it is taken first", "[allocations]") {
  if (kSanitized) return skip("a sanitizer has every block from the system");
  const int before = kernels::thread_count();
  kernels::set_thread_count(1);  // how many blocks are in use at once depends on the threads
  for (Sequential (*network)() : {standard_cnn, normalized_cnn}) {
    CAPTURE(network == standard_cnn);
    Sequential model = network();
    Generator initialization(1, Purpose::initialization), dropout(1, Purpose::dropout);
    model.initialize(initialization);
    Adam optimizer(model.parameters());
    const Tensor x = noise({5, 28, 28, 1}, {1, 2}, DType::f32);
    const Tensor targets = noise({5, 10}, {1, 3}, DType::f32), one = Tensor::full({}, 1.0);
    const auto step = [&] {
      Pass pass = Pass::train(dropout);
      backward(softmax_cross_entropy(model.forward(x, pass), targets), one);
      optimizer.step(1e-3);
      optimizer.clear_grads();
    };
    CHECK(asked_by(step) != kNothing);
    CHECK(asked_by([&] {
            for (int i = 0; i < 3; ++i) step();
          }) == kNothing);
  }
  kernels::set_thread_count(before);
}

}  // namespace drape::tests
