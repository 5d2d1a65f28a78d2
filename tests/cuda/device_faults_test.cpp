// A device whose memory runs out: in the emulator only.
#include <atomic>
#include <cstdint>
#include <vector>

#include "kernels/memory.h"
#include "layers/batch_norm.h"
#include "layers/deform_conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "optim/trainer.h"
#include "tests/catch.h"
#include "tests/compare.h"
#include "tests/data_helpers.h"
#include "tests/emulator/device_memory.h"

namespace drape::tests {
namespace {

constexpr std::int64_t kFewImages = 6, kSide = 6, kFewClasses = 2;

// Of this many allocations from here on the device has the memory; of all, when it ends.
class FewAllocations {
 public:
  explicit FewAllocations(std::int64_t count) { emulator::limit_allocations(count); }
  ~FewAllocations() { emulator::limit_allocations(emulator::kUnlimited); }
  FewAllocations(const FewAllocations&) = delete;
  FewAllocations& operator=(const FewAllocations&) = delete;
};

Examples images() {
  Examples examples{Tensor::zeros({kFewImages, kSide, kSide, 1}, DType::u8),
                    Tensor::zeros({kFewImages}, DType::u8),
                    {},
                    kFewClasses};
  for (std::int32_t n = 0; n < kFewImages; ++n) {
    for (std::int64_t i = 0; i < kSide * kSide; ++i)
      examples.images.data<std::uint8_t>()[n * kSide * kSide + i] =
          static_cast<std::uint8_t>(37 * n + 11 * i);
    examples.labels.data<std::uint8_t>()[n] = static_cast<std::uint8_t>(n % kFewClasses);
    examples.indices.push_back(n);
  }
  examples.images = examples.images.to(Device::cuda);
  examples.labels = examples.labels.to(Device::cuda);
  return examples;
}

Sequential network() {
  Sequential model;
  model.add("conv", DeformConv2d(1, 4, 3, {.padding = 1}))
      .add("norm", BatchNorm(4, {.activation = Activation::relu}))
      .add("flatten", Flatten())
      .add("linear", Linear(kSide * kSide * 4, kFewClasses));
  Generator random(7, Purpose::initialization);
  model.initialize(random);
  model.to(Device::cuda);
  return model;
}

std::vector<std::vector<double>> state_of(Module& model) {
  std::vector<std::vector<double>> all;
  for (const NamedTensor& entry : model.state()) all.push_back(values(entry.tensor));
  return all;
}

}  // namespace

TEST_CASE("training that runs out of a device's memory says so, and the model is whole",
          "[cuda][training]") {
  const Examples examples = images();
  const std::atomic<bool> never{false};
  Observer silent;
  const auto train_once = [&](Module& model) {
    train(model, examples, examples, {.epochs = 1, .batch = 2}, silent, never);
    return state_of(model);
  };
  Sequential whole = network();
  const auto before = state_of(whole), expected = train_once(whole);
  CHECK(expected != before);
  std::int64_t failures = 0;
  for (std::int64_t count = 0;; count += 1 + count / 8) {
    CAPTURE(count);
    Sequential model = network();
    const std::int64_t storages = live_storages();
    kernels::trim(current_cuda());  // blocks that are handed out again need no allocation
    const std::string error = error_of([&] {
      const FewAllocations few(count);
      train_once(model);
    });
    if (error.empty()) {
      CHECK(state_of(model) == expected);
      break;
    }
    ++failures;
    CHECK_THAT(error, ContainsSubstring("memory: expected"));
    const auto state = state_of(model);
    CHECK((state == before || state == expected));  // the best epoch's, once there is one
    if (state == expected) continue;
    CHECK(train_once(model) == expected);  // as if nothing had been
    CHECK(live_storages() == storages);
  }
  CHECK(failures > 5);
}

}  // namespace drape::tests
