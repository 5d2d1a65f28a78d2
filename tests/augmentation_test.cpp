// Augmentation: what is drawn, and what becomes of an image.
#include "data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "data/batches.h"
#include "tests/catch.h"
#include "tests/compare.h"

namespace drape::tests {
namespace {

using kernels::Augmentation;

// One 3x4 image, pixel (h, w) = 10 h + w + 1, augmented; in bytes.
std::vector<int> augmented(const Augmentation& augmentation) {
  std::vector<std::uint8_t> pixels;
  for (int h = 0; h < 3; ++h)
    for (int w = 0; w < 4; ++w) pixels.push_back(static_cast<std::uint8_t>(10 * h + w + 1));
  const Tensor images = Tensor::from({1, 3, 4, 1}, pixels);
  const std::vector<std::int32_t> indices{0};
  const BatchPlan plan(images, Tensor::zeros({1}, DType::u8), 10, Batches(indices, 1),
                       {.augmentations = std::span(&augmentation, 1)});
  std::vector<int> found;
  for (const double value : values(plan.gather(0, DType::f64).x))
    found.push_back(static_cast<int>(std::lround(value * 255.0)));
  return found;
}

std::vector<Augmentation> drawn(const AugmentationOptions& options, std::int64_t count) {
  Generator random(3, Purpose::augmentation);
  return draw_augmentations(options, random, count, 28, 28);
}

}  // namespace

TEST_CASE("an image is mirrored, then moved, then erased", "[augmentation]") {
  using Pixels = std::vector<int>;
  CHECK(augmented({}) == Pixels{1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24});
  CHECK(augmented({.mirrored = true}) == Pixels{4, 3, 2, 1, 14, 13, 12, 11, 24, 23, 22, 21});
  CHECK(augmented({.down = 1, .right = -2}) == Pixels{0, 0, 0, 0, 3, 4, 0, 0, 13, 14, 0, 0});
  CHECK(augmented({.mirrored = true, .right = 1}) ==
        Pixels{0, 4, 3, 2, 0, 14, 13, 12, 0, 24, 23, 22});
  CHECK(augmented({.down = -1, .top = 0, .bottom = 2, .left = 1, .end = 3}) ==
        Pixels{11, 0, 0, 14, 21, 0, 0, 24, 0, 0, 0, 0});
}

TEST_CASE("every channel of an image is augmented alike", "[augmentation]") {
  const Tensor images = Tensor::from({1, 1, 3, 2}, std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
  const Augmentation mirrored{.mirrored = true};
  const std::vector<std::int32_t> indices{0};
  const BatchPlan plan(images, Tensor::zeros({1}, DType::u8), 10, Batches(indices, 1),
                       {.augmentations = std::span(&mirrored, 1)});
  std::vector<double> expected{5, 6, 3, 4, 1, 2};
  for (double& value : expected) value /= 255.0;
  CHECK(values(plan.gather(0, DType::f64).x) == expected);
}

TEST_CASE("a partner that an image is mixed with has an augmentation of its own",
          "[augmentation]") {
  const Tensor images = Tensor::from({2, 1, 2, 1}, std::vector<std::uint8_t>{10, 20, 100, 200});
  const std::vector<std::int32_t> indices{0, 1};
  const std::vector<Augmentation> augmentations{{}, {.mirrored = true}};
  const std::vector<Mix> mixes{{.lambda = 0.5, .order = {1, 0}}};
  const BatchPlan plan(images, Tensor::zeros({2}, DType::u8), 10, Batches(indices, 2),
                       {mixes, augmentations});
  const std::vector<double> x = values(plan.gather(0, DType::f64).x);
  CHECK(x[0] == Approx((0.5 * 10 + 0.5 * 200) / 255.0));
  CHECK(x[1] == Approx((0.5 * 20 + 0.5 * 100) / 255.0));
  CHECK(x[2] == x[0]);
  CHECK(x[3] == x[1]);
}

TEST_CASE("augmentations are drawn evenly, and only those that are asked for", "[augmentation]") {
  constexpr std::int64_t kCount = 20'000;
  const auto plain = drawn({.shift = 2}, kCount);
  std::int64_t moved[5] = {}, sideways[5] = {};
  for (const Augmentation& one : plain) {
    REQUIRE((std::abs(one.down) <= 2 && std::abs(one.right) <= 2));
    CHECK_FALSE(one.mirrored);
    CHECK(one.bottom == 0);
    ++moved[one.down + 2], ++sideways[one.right + 2];
  }
  // Five standard deviations of a fifth of the draws.
  const double slack = 5.0 * std::sqrt(kCount * 0.2 * 0.8);
  for (int i = 0; i < 5; ++i) {
    CHECK(std::abs(static_cast<double>(moved[i]) - kCount / 5.0) < slack);
    CHECK(std::abs(static_cast<double>(sideways[i]) - kCount / 5.0) < slack);
  }
  const auto mirrored = drawn({.mirroring = Mirroring::half}, kCount);
  const auto half = std::ranges::count(mirrored, true, &Augmentation::mirrored);
  CHECK(std::abs(static_cast<double>(half) - kCount / 2.0) < 5.0 * std::sqrt(kCount * 0.25));
  CHECK(std::ranges::all_of(mirrored, [](const Augmentation& one) { return one.down == 0; }));
}

TEST_CASE("an erased rectangle lies in the image and has the area that it may", "[augmentation]") {
  constexpr std::int64_t kCount = 5'000;
  std::int64_t erased = 0;
  std::set<int> tops;
  for (const Augmentation& one : drawn({.erase = 0.25}, kCount)) {
    if (one.bottom == 0) continue;
    ++erased;
    tops.insert(one.top);
    const int h = one.bottom - one.top, w = one.end - one.left;
    REQUIRE((one.top >= 0 && one.left >= 0 && one.bottom <= 28 && one.end <= 28));
    // Sides are rounded: 2 % of 784 pixels are 15.7, 33 % are 258.7.
    CHECK((h * w >= 10 && h * w <= 275));
  }
  CHECK(std::abs(static_cast<double>(erased) - 0.25 * kCount) <
        5.0 * std::sqrt(kCount * 0.25 * 0.75));
  CHECK(tops.size() > 15);
}

TEST_CASE("the same seed draws the same augmentations, and an epoch others", "[augmentation]") {
  const AugmentationOptions options{.shift = 3, .mirroring = Mirroring::half, .erase = 0.5};
  Generator a(5, Purpose::augmentation), b(5, Purpose::augmentation);
  const auto same = [](const Augmentation& x, const Augmentation& y) {
    return x.mirrored == y.mirrored && x.down == y.down && x.right == y.right && x.top == y.top &&
           x.bottom == y.bottom && x.left == y.left && x.end == y.end;
  };
  const auto first = draw_augmentations(options, a, 100, 28, 28);
  CHECK(std::ranges::equal(first, draw_augmentations(options, b, 100, 28, 28), same));
  CHECK_FALSE(std::ranges::equal(first, draw_augmentations(options, a, 100, 28, 28), same));
}

TEST_CASE("augmentation names what makes no sense", "[augmentation]") {
  Generator random(5, Purpose::augmentation);
  const auto draw = [&](const AugmentationOptions& options, std::int64_t height) {
    return draw_augmentations(options, random, 1, height, 28);
  };
  CHECK_THROWS_WITH(draw({.shift = -1}, 28), ContainsSubstring("expected a shift >= 0, got -1"));
  CHECK_THROWS_WITH(draw({.shift = 4}, 4), ContainsSubstring("of less than the image, 4 x 28"));
  CHECK_THROWS_WITH(draw({.erase = 1.5}, 28), ContainsSubstring("in [0, 1], got 1.5"));
  CHECK_THROWS_WITH(draw({}, 40'000), ContainsSubstring("got 40000 x 28"));
  const std::vector<std::int32_t> indices{0};
  const std::vector<Augmentation> two(2);
  CHECK_THROWS_WITH(BatchPlan(Tensor::zeros({1, 2, 2, 1}, DType::u8), Tensor::zeros({1}, DType::u8),
                              10, Batches(indices, 1), {.augmentations = two}),
                    ContainsSubstring("an augmentation for each of 1 images, got 2"));
}

TEST_CASE("smoothed labels add up to one and keep their share", "[augmentation]") {
  const std::vector<std::int32_t> indices{0, 1};
  const Tensor images = Tensor::zeros({2, 1, 1, 1}, DType::u8);
  const Tensor labels = Tensor::from({2}, std::vector<std::uint8_t>{3, 0});
  const std::vector<Mix> mixes{{.lambda = 0.75, .order = {1, 0}}};
  const Batches batches(indices, 2);
  const BatchPlan plain(images, labels, 4, batches, {}, 0.2);
  CHECK(values(plain.gather(0, DType::f64).targets)[3] == Approx(0.8 + 0.05));
  CHECK(values(plain.gather(0, DType::f64).targets)[0] == Approx(0.05));
  const BatchPlan mixed(images, labels, 4, batches, {.mixes = mixes}, 0.2);
  const std::vector<double> targets = values(mixed.gather(0, DType::f64).targets);
  CHECK(targets[3] == Approx(0.75 * 0.8 + 0.05));
  CHECK(targets[0] == Approx(0.25 * 0.8 + 0.05));
  CHECK(targets[1] == Approx(0.05));
  CHECK_THROWS_WITH(BatchPlan(images, labels, 4, batches, {}, 1.0),
                    ContainsSubstring("label smoothing in [0, 1), got 1"));
}

TEST_CASE("the pieces of a batch are its rows", "[augmentation]") {
  const std::vector<std::int32_t> indices{4, 1, 3, 0, 2};
  const Tensor images = Tensor::from({5, 1, 1, 1}, std::vector<std::uint8_t>{0, 51, 102, 153, 204});
  const BatchPlan plan(images, Tensor::zeros({5}, DType::u8), 4, Batches(indices, 3));
  CHECK(values(plan.gather(0, {1, 2}, DType::f64, nullptr).x) == std::vector{51 / 255.0, 0.6});
  CHECK(values(plan.gather(1, {1, 1}, DType::f64, nullptr).x) == std::vector{0.4});
  CHECK(plan.rows(0) == 3);
  CHECK(plan.rows(1) == 2);
}

}  // namespace drape::tests
