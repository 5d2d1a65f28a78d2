#include "data/split.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <numeric>

#include "core/check.h"
#include "core/random.h"

namespace drape {
namespace {

constexpr std::size_t kLabels = 256;  // a label is a byte

using Members = std::array<std::vector<std::int32_t>, kLabels>;
using Counts = std::array<std::int64_t, kLabels>;

// How many of each class: the largest-remainder method (Hamilton).
Counts apportion(const Members& members, std::int64_t count, std::int64_t total) {
  Counts counts = {}, remainders = {};
  for (std::size_t label = 0; label < kLabels; ++label) {
    const std::int64_t share = count * std::ssize(members[label]);
    counts[label] = share / std::max<std::int64_t>(total, 1);
    remainders[label] = share % std::max<std::int64_t>(total, 1);
  }
  std::array<std::size_t, kLabels> order;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  const std::int64_t left = count - std::reduce(counts.begin(), counts.end());
  for (std::int64_t i = 0; i < left; ++i) ++counts[order[static_cast<std::size_t>(i)]];
  return counts;
}

}  // namespace

Split stratified_split(std::span<const std::uint8_t> labels, std::int64_t validation_count,
                       std::uint64_t seed) {
  const std::int64_t total = std::ssize(labels);
  DRAPE_CHECK(total <= std::numeric_limits<std::int32_t>::max(),
              "stratified_split: expected fewer than 2^31 labels, got {}", total);
  DRAPE_CHECK(validation_count >= 0 && validation_count <= total,
              "stratified_split: expected a validation set of 0 to {} images, got {}", total,
              validation_count);
  Members members;
  for (std::int32_t i = 0; i < total; ++i)
    members[labels[static_cast<std::size_t>(i)]].push_back(i);
  const Counts counts = apportion(members, validation_count, total);

  Split split;
  Generator generator(seed, Purpose::split);
  for (std::size_t label = 0; label < kLabels; ++label) {
    // One stream per label, so that a class's draw does not depend on the others.
    const auto order = permutation(generator.next(), std::ssize(members[label]));
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool held_out = static_cast<std::int64_t>(i) < counts[label];
      auto& side = held_out ? split.validation : split.train;
      side.push_back(members[label][static_cast<std::size_t>(order[i])]);
    }
  }
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}

}  // namespace drape
