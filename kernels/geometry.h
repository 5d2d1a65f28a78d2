// Sizes of sliding-window ops: the arithmetic of output extents stands here once.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "kernels/error.h"

namespace drape {

/// A value per image axis; one number stands for both.
struct Size2 {
  std::int64_t y = 1, x = 1;
  constexpr Size2() = default;
  constexpr Size2(std::int64_t both) : y(both), x(both) {}
  constexpr Size2(std::int64_t y_value, std::int64_t x_value) : y(y_value), x(x_value) {}
  friend bool operator==(const Size2&, const Size2&) = default;
  friend auto operator<=>(const Size2&, const Size2&) = default;
};

/// Number of positions of a window along one axis:
///   floor((input + 2 * padding - dilation * (window - 1) - 1) / stride) + 1
/// Error naming `op` and the sizes if an option is out of range or no position fits.
inline std::int64_t output_size(const char* op, std::int64_t input, std::int64_t window,
                                std::int64_t stride, std::int64_t padding, std::int64_t dilation) {
  const auto fail = [&](const std::string& expected) {
    throw Error(std::string(op) + ": expected " + expected + ", got input " +
                std::to_string(input) + ", window " + std::to_string(window) + ", stride " +
                std::to_string(stride) + ", padding " + std::to_string(padding) + ", dilation " +
                std::to_string(dilation));
  };
  constexpr std::int64_t kLargest = 1 << 24;
  if (window < 1 || stride < 1 || dilation < 1 || padding < 0) {
    fail("window, stride, dilation >= 1 and padding >= 0");
  }
  if (window > kLargest || stride > kLargest || dilation > kLargest || padding > kLargest) {
    fail("window, stride, dilation and padding of at most 2^24");
  }
  const std::int64_t span = dilation * (window - 1) + 1;
  if (input + 2 * padding < span) fail("a window that fits into the padded input");
  return (input + 2 * padding - span) / stride + 1;
}

/// Sizes of a convolution in the field's alphabet: N images of H x W with C channels, K filters of
/// R x S in `groups` groups, output P x Q. x [N,H,W,C], w [K,R,S,C/groups], y [N,P,Q,K].
struct Conv2dGeometry {
  std::int64_t N, H, W, C, K, R, S, P, Q;
  Size2 stride, padding, dilation;
  std::int64_t groups;
  friend bool operator==(const Conv2dGeometry&, const Conv2dGeometry&) = default;
  friend auto operator<=>(const Conv2dGeometry&, const Conv2dGeometry&) = default;

  /// The same convolution of `images` images.
  Conv2dGeometry with_images(std::int64_t images) const {
    Conv2dGeometry part = *this;
    part.N = images;
    return part;
  }
  /// Elements of an image, of its output, and of that pooled by 2x2 windows.
  std::int64_t x_image() const { return H * W * C; }
  std::int64_t y_image() const { return P * Q * K; }
  std::int64_t pooled_image() const { return (P / 2) * (Q / 2) * K; }
  std::int64_t x_size() const { return N * x_image(); }
  std::int64_t y_size() const { return N * y_image(); }
  std::int64_t w_size() const { return K * R * S * (C / groups); }
};

}  // namespace drape
