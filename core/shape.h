// The extents of a tensor.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace drape {

/// Up to six extents, outermost first; images are [N, H, W, C]. A scalar has rank 0 and size 1.
class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents)
      : Shape(std::span(extents.begin(), extents.size())) {}
  /// Error unless there are at most kMaxRank extents, none negative, with a product below 2^48.
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  /// Error unless 0 <= axis < rank().
  std::int64_t operator[](int axis) const {
    if (axis < 0 || axis >= rank_) refuse(axis);
    return extents_[static_cast<std::size_t>(axis)];
  }
  /// Number of elements: the product of the extents.
  std::int64_t size() const;
  std::span<const std::int64_t> extents() const {
    return {extents_.data(), static_cast<std::size_t>(rank_)};
  }
  /// "[64,28,28,1]"
  std::string to_string() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    return std::ranges::equal(a.extents(), b.extents());
  }

 private:
  [[noreturn]] void refuse(int axis) const;

  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

}  // namespace drape
