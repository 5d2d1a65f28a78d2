// The drawn garments: data/synthetic.h.
#include "data/synthetic.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>

#include "kernels/parallel.h"
#include "tests/data_helpers.h"

namespace drape {
namespace {

constexpr std::size_t kPixels = kImageSide * kImageSide;

std::span<const std::uint8_t> image(const LabelledImages& images, std::size_t i) {
  return std::span(images.pixels).subspan(i * kPixels, kPixels);
}

bool same(const LabelledImages& a, const LabelledImages& b) {
  return a.pixels == b.pixels && a.labels == b.labels;
}

using Means = std::array<std::array<double, kPixels>, kClasses>;

Means class_means(const LabelledImages& images) {
  Means means = {};
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    for (std::size_t p = 0; p < kPixels; ++p) means[images.labels[i]][p] += image(images, i)[p];
  }
  for (auto& mean : means) {
    for (double& value : mean) value *= kClasses / static_cast<double>(images.size());
  }
  return means;
}

// The nearest class mean: a linear classifier.
int nearest(const Means& means, std::span<const std::uint8_t> pixels) {
  const auto distance = [&](const auto& mean) {
    return std::transform_reduce(mean.begin(), mean.end(), pixels.begin(), 0.0, std::plus<>(),
                                 [](double a, double b) { return (a - b) * (a - b); });
  };
  return static_cast<int>(std::ranges::min_element(means, {}, distance) - means.begin());
}

TEST_CASE("drawn garments depend on the seed and on nothing else") {
  const DataSet data = synthetic_garments(1, 200, 100);
  CHECK(data.train.size() == 200);
  CHECK(data.test.size() == 100);
  CHECK(data.train.pixels.size() == 200 * kPixels);
  CHECK(data.synthetic);
  CHECK_FALSE(data.official);
  const DataSet again = synthetic_garments(1, 200, 100), other = synthetic_garments(2, 200, 100);
  CHECK(same(again.train, data.train));
  CHECK(same(again.test, data.test));
  CHECK(other.train.pixels != data.train.pixels);
}

TEST_CASE("drawn garments are the same by any number of threads") {
  const int threads = kernels::thread_count();
  const DataSet data = synthetic_garments(1, 300, 10);
  kernels::set_thread_count(threads == 1 ? 3 : 1);
  const DataSet other = synthetic_garments(1, 300, 10);
  kernels::set_thread_count(threads);
  CHECK(same(data.train, other.train));
}

TEST_CASE("a longer set of drawn garments begins with the shorter one") {
  const DataSet longer = synthetic_garments(5, 100, 60), shorter = synthetic_garments(5, 30, 20);
  CHECK(
      std::ranges::equal(shorter.train.pixels, std::span(longer.train.pixels).first(30 * kPixels)));
  CHECK(std::ranges::equal(shorter.test.pixels, std::span(longer.test.pixels).first(20 * kPixels)));
}

TEST_CASE("drawn garments are balanced and no two are the same") {
  const DataSet data = synthetic_garments(1, 500, 500);
  std::vector<std::vector<std::uint8_t>> all;
  for (const LabelledImages* part : {&data.train, &data.test}) {
    for (int label = 0; label < kClasses; ++label)
      CHECK(std::ranges::count(part->labels, label) == 50);
    for (std::size_t i = 0; i < 500; ++i) {
      all.emplace_back(image(*part, i).begin(), image(*part, i).end());
    }
  }
  std::ranges::sort(all);
  CHECK(std::ranges::adjacent_find(all) == all.end());
}

TEST_CASE("every drawn image shows a garment on a dark ground") {
  const DataSet data = synthetic_garments(3, 500, 1);
  for (std::size_t i = 0; i < 500; ++i) {
    const auto bright = std::ranges::count_if(image(data.train, i), [](int v) { return v > 48; });
    CHECK(bright > 20);
    CHECK(bright < 600);
  }
}

TEST_CASE("a linear classifier learns something of drawn garments but not all") {
  const DataSet data = synthetic_garments(1, 1000, 500);
  const Means means = class_means(data.train);
  int right = 0;
  for (std::size_t i = 0; i < 500; ++i)
    right += nearest(means, image(data.test, i)) == data.test.labels[i];
  CHECK(right > 200);  // by chance: 50
  CHECK(right < 400);
}

TEST_CASE("an impossible number of drawn garments gives an error") {
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 31}) {
    CHECK_THAT(tests::error_of([&] { synthetic_garments(1, count, 1); }),
               ContainsSubstring("got " + std::to_string(count)));
    CHECK_THAT(tests::error_of([&] { synthetic_garments(1, 1, count); }),
               ContainsSubstring("got " + std::to_string(count)));
  }
}

}  // namespace
}  // namespace drape
