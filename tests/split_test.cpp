// The held-out validation set: data/split.h.
#include "data/split.h"

#include <algorithm>
#include <numeric>

#include "tests/data_helpers.h"

namespace drape {
namespace {

using Labels = std::vector<std::uint8_t>;

// `counts[label]` images of each label, in turns as long as there are any.
Labels labels_with(std::vector<int> counts) {
  Labels labels;
  for (bool more = true; more;) {
    more = false;
    for (std::size_t label = 0; label < counts.size(); ++label) {
      if (counts[label]-- <= 0) continue;
      labels.push_back(static_cast<std::uint8_t>(label));
      more = true;
    }
  }
  return labels;
}

std::vector<int> counts_of(const std::vector<std::int32_t>& indices, const Labels& labels) {
  std::vector<int> counts(10);
  for (const std::int32_t i : indices) ++counts.at(labels.at(static_cast<std::size_t>(i)));
  return counts;
}

TEST_CASE("a split has every index once, in order") {
  const Labels labels = labels_with({50, 1, 30, 0, 19});
  for (const std::int64_t count : {0, 1, 10, 33, 99, 100}) {
    const Split split = stratified_split(labels, count, 3);
    CHECK(std::ssize(split.validation) == count);
    CHECK(std::ranges::is_sorted(split.train));
    CHECK(std::ranges::is_sorted(split.validation));
    std::vector<std::int32_t> merged, all(100);
    std::ranges::merge(split.train, split.validation, std::back_inserter(merged));
    std::iota(all.begin(), all.end(), 0);
    CHECK(merged == all);
  }
}

TEST_CASE("a split of the balanced 60,000 holds out 500 of each class") {
  const Labels labels = labels_with(std::vector<int>(10, 6000));
  const Split split = stratified_split(labels, 5000, 1);
  CHECK(counts_of(split.validation, labels) == std::vector<int>(10, 500));
  CHECK(counts_of(split.train, labels) == std::vector<int>(10, 5500));
}

TEST_CASE("a split rounds shares by the largest remainder") {
  // Shares of 10 out of 100: 5.5, 2.6, 1.5, 0.4. The two left over go to 2.6 and, before 1.5,
  // to 5.5.
  const Labels labels = labels_with({55, 26, 15, 4});
  const auto counts = counts_of(stratified_split(labels, 10, 1).validation, labels);
  CHECK(counts == std::vector<int>{6, 3, 1, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("a split depends on the seed and on nothing else") {
  const Labels labels = labels_with(std::vector<int>(10, 100));
  const Split split = stratified_split(labels, 100, 1);
  CHECK(stratified_split(labels, 100, 1).validation == split.validation);
  CHECK(stratified_split(labels, 100, 2).validation != split.validation);
  // Drawn, not the first of each class: of 100 random ones about 10 lie in the first tenth.
  CHECK(std::ranges::count_if(split.validation, [](std::int32_t i) { return i < 100; }) < 30);
}

TEST_CASE("a split of an impossible size gives an error") {
  const Labels labels(20);
  for (const std::int64_t count : {-1, 21}) {
    CHECK_THAT(tests::error_of([&] { stratified_split(labels, count, 1); }),
               ContainsSubstring("0 to 20 images, got " + std::to_string(count)));
  }
  CHECK(stratified_split({}, 0, 1).train.empty());
}

}  // namespace
}  // namespace drape
