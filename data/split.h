// A validation set held out of the training set, the same share of every class.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace drape {

/// Indices into the labels, ascending; disjoint and together complete.
struct Split {
  std::vector<std::int32_t> train, validation;
};

/// Draws `validation_count` of the N labels at random: from a class of n labels the share
/// validation_count * n / N, rounded so that the counts add up (largest remainders first, then
/// lower classes). Error: validation_count outside 0 ... N.
Split stratified_split(std::span<const std::uint8_t> labels, std::int64_t validation_count,
                       std::uint64_t seed);

}  // namespace drape
