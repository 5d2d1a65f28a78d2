// From stored images to the batches of an epoch.
#include "data/batches.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "tests/catch.h"
#include "tests/compare.h"

namespace drape::tests {
namespace {

// Twelve 2x3 images of one channel, pixel p of image i = 20 i + p, label i % 5.
struct Stored {
  Tensor images = Tensor::uninitialized({12, 2, 3, 1}, DType::u8);
  Tensor labels = Tensor::uninitialized({12}, DType::u8);

  Stored() {
    for (int i = 0; i < 12; ++i) {
      labels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 5);
      for (int p = 0; p < 6; ++p) {
        images.data<std::uint8_t>()[6 * i + p] = static_cast<std::uint8_t>(20 * i + p);
      }
    }
  }
};

std::vector<std::int32_t> first_numbers(std::int32_t count) {
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

std::vector<std::int32_t> joined(const Batches& batches) {
  std::vector<std::int32_t> all;
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    all.insert(all.end(), batches[i].begin(), batches[i].end());
  }
  return all;
}

}  // namespace

TEST_CASE("a gathered batch is the pixels over 255 and the labels one-hot", "[batches]") {
  const Stored stored;
  const std::vector<std::int32_t> indices{7, 0, 11, 7};
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Batch batch = gather_batch(stored.images, stored.labels, indices, 5, {}, dtype);
    CHECK(batch.x.shape() == Shape{4, 2, 3, 1});
    CHECK(batch.x.dtype() == dtype);
    CHECK(batch.targets.shape() == Shape{4, 5});
    CHECK(batch.labels.to_vector<std::uint8_t>() == std::vector<std::uint8_t>{2, 0, 1, 2});
    const std::vector<double> x = values(batch.x), targets = values(batch.targets);
    for (std::size_t n = 0; n < 4; ++n) {
      for (std::size_t p = 0; p < 6; ++p) {
        const double pixel = 20.0 * indices[n] + static_cast<double>(p);
        const double expected = dtype == DType::f32
                                    ? static_cast<double>(static_cast<float>(pixel) / 255.0f)
                                    : pixel / 255.0;
        CHECK(x[6 * n + p] == expected);
      }
      for (std::size_t k = 0; k < 5; ++k) {
        CHECK(targets[5 * n + k] == (static_cast<std::size_t>(indices[n] % 5) == k ? 1.0 : 0.0));
      }
    }
  }
}

TEST_CASE("white is one and black is zero", "[batches]") {
  const Tensor images = Tensor::from({1, 1, 2, 1}, std::vector<std::uint8_t>{0, 255});
  const std::vector<std::int32_t> indices{0};
  const Batch batch = gather_batch(images, Tensor::zeros({1}, DType::u8), indices, 10);
  CHECK(batch.x.to_vector<float>() == std::vector<float>{0.0f, 1.0f});
}

TEST_CASE("gather_batch names what does not fit", "[batches]") {
  const Stored stored;
  const auto gather = [&](const std::vector<std::int32_t>& indices, std::int64_t classes,
                          const Mix& mix = {}) {
    return gather_batch(stored.images, stored.labels, indices, classes, mix);
  };
  CHECK_THROWS_WITH(gather({3, 12}, 5), "gather_batch: expected indices 0...11, got 12");
  CHECK_THROWS_WITH(gather({-1}, 5), "gather_batch: expected indices 0...11, got -1");
  CHECK_THROWS_WITH(gather({3, 4}, 4), "gather_batch: expected labels 0...3, got 4 at index 4");
  CHECK_THROWS_WITH(gather({3, 4}, 5, {.lambda = 0.5, .order = {0}}),
                    "gather_batch: expected a mix of 2 rows, got 1");
  CHECK_THROWS_WITH(gather({3, 4}, 5, {.lambda = 0.5, .order = {0, 2}}),
                    "gather_batch: expected a mix of rows 0...1, got 2");
  CHECK_THROWS_AS(gather({3}, 5, {.lambda = 1.5, .order = {0}}), Error);
  CHECK_THROWS_AS(gather({3}, 0), Error);
  CHECK_THROWS_AS(gather_batch(stored.images, Tensor::zeros({11}, DType::u8), {}, 5), Error);
  CHECK_THROWS_AS(gather_batch(stored.images, Tensor::zeros({12}), {}, 5), Error);
  CHECK_THROWS_AS(gather_batch(Tensor::zeros({12, 6}, DType::u8), stored.labels, {}, 5), Error);
}

TEST_CASE("a plan is replaced by one of the same kind", "[batches]") {
  const Stored stored;
  const std::vector<Mix> mixes(2, {.lambda = 0.5, .order = {1, 0}});
  const Batches batches(first_numbers(4), 2);
  BatchPlan plain(stored.images, stored.labels, 5, batches);
  CHECK_NOTHROW(plain.replace(batches));
  CHECK_THROWS_WITH(plain.replace(Batches(first_numbers(4), 4)),
                    "gather_batch: expected batches of 2, got 4");
  CHECK_THROWS_WITH(
      plain.replace(batches, {.mixes = mixes}),
      ContainsSubstring("expected mixes and augmentations if there were some before"));
  BatchPlan mixed(stored.images, stored.labels, 5, batches, {.mixes = mixes});
  CHECK_NOTHROW(mixed.replace(batches, {.mixes = mixes}));
  CHECK_THROWS_AS(mixed.replace(batches), Error);
}

TEST_CASE("an epoch has every index once, in order unless shuffled", "[batches]") {
  const std::vector<std::int32_t> indices{9, 2, 5, 7, 1, 3, 8};
  const Batches in_order(indices, 3);
  CHECK(in_order.size() == 3);
  CHECK(in_order[0].size() == 3);
  CHECK(in_order[2].size() == 1);
  CHECK(joined(in_order) == indices);

  Generator random(1, Purpose::shuffle);
  const Batches shuffled(indices, 3, &random);
  CHECK(joined(shuffled) != indices);
  CHECK(std::ranges::is_permutation(joined(shuffled), indices));
}

TEST_CASE("epochs are shuffled anew, and the same again from the same generator", "[batches]") {
  const std::vector<std::int32_t> indices = first_numbers(100);
  Generator random(1, Purpose::shuffle), again(1, Purpose::shuffle), other(2, Purpose::shuffle);
  const std::vector<std::int32_t> first = joined(Batches(indices, 8, &random));
  CHECK(joined(Batches(indices, 8, &random)) != first);
  CHECK(joined(Batches(indices, 8, &again)) == first);
  CHECK(joined(Batches(indices, 8, &other)) != first);
}

TEST_CASE("batches of any size cover the epoch", "[batches]") {
  for (std::int32_t count = 0; count < 20; ++count) {
    for (std::int64_t size = 1; size < 22; ++size) {
      const Batches batches(first_numbers(count), size);
      CHECK(batches.size() == (count + size - 1) / size);
      CHECK(joined(batches) == first_numbers(count));
    }
  }
  CHECK(Batches(first_numbers(3), std::numeric_limits<std::int64_t>::max()).size() == 1);
  CHECK_THROWS_WITH(Batches({}, 0), "batches: expected a batch size >= 1, got 0");
}

}  // namespace drape::tests
