#include "core/shape.h"

#include <algorithm>

#include "core/check.h"

namespace drape {
namespace {

std::string join(std::span<const std::int64_t> extents) {
  std::string text;
  for (const std::int64_t extent : extents) {
    if (!text.empty()) text += ',';
    text += std::to_string(extent);
  }
  return text;
}

}  // namespace

Shape::Shape(std::span<const std::int64_t> extents) {
  DRAPE_CHECK(extents.size() <= kMaxRank, "shape: expected at most {} extents, got [{}]", kMaxRank,
              join(extents));
  std::int64_t size = 1;  // without extents of 0, so that products of some of them fit too
  for (const std::int64_t extent : extents) {
    DRAPE_CHECK(extent >= 0, "shape: expected extents >= 0, got [{}]", join(extents));
    DRAPE_CHECK(!__builtin_mul_overflow(size, std::max<std::int64_t>(extent, 1), &size) &&
                    size < (std::int64_t{1} << 48),
                "shape: expected fewer than 2^48 elements, got [{}]", join(extents));
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }
}

void Shape::refuse(int axis) const {
  throw Error(fmt::format("shape: expected an axis of {}, got {}", to_string(), axis));
}

std::int64_t Shape::size() const {
  std::int64_t size = 1;
  for (const std::int64_t extent : extents()) size *= extent;
  return size;
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", join(extents()));
}

}  // namespace drape
