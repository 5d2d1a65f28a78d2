#include "core/shape.h"

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
  std::int64_t size = 1;
  for (const std::int64_t extent : extents) {
    DRAPE_CHECK(extent >= 0, "shape: expected extents >= 0, got [{}]", join(extents));
    DRAPE_CHECK(!__builtin_mul_overflow(size, extent, &size) && size < (std::int64_t{1} << 48),
                "shape: expected fewer than 2^48 elements, got [{}]", join(extents));
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }
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
