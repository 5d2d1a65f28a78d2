// Bilinear interpolation between pixels, Dai et al. 2017 (arXiv:1703.06211), eqs. (3) and (4). One
// formula for host and device, for values and for derivatives.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/host_device.h"

namespace drape {

/// The four pixels around a point of an H x W image and the point's place between them.
/// pixel[0..3] are (y0,x0) (y0,x0+1) (y0+1,x0) (y0+1,x0+1) with y0 = floor(y), x0 = floor(x), each
/// as y*W + x, or H*W where it lies outside the image: there the image is zero.
///   fy = y - y0,  fx = x - x0
template <class T>
struct BilinearPoint {
  std::int32_t pixel[4];
  T fy, fx;

  /// How much each of the four pixels counts; the value is their weighted sum.
  DRAPE_HOST_DEVICE T weight(int corner) const {
    return (corner < 2 ? T(1) - fy : fy) * (corner % 2 == 0 ? T(1) - fx : fx);
  }
};

/// Value and derivatives at a point from the values a, b, c, d of its four pixels, in their order.
/// At integer positions the derivative is the one-sided one towards the floor cell, as PyTorch's.
template <class T>
DRAPE_HOST_DEVICE T bilinear_value(T a, T b, T c, T d, T fy, T fx) {
  return (T(1) - fy) * ((T(1) - fx) * a + fx * b) + fy * ((T(1) - fx) * c + fx * d);
}
template <class T>
DRAPE_HOST_DEVICE T bilinear_dy(T a, T b, T c, T d, T fx) {
  return (T(1) - fx) * (c - a) + fx * (d - b);
}
template <class T>
DRAPE_HOST_DEVICE T bilinear_dx(T a, T b, T c, T d, T fy) {
  return (T(1) - fy) * (b - a) + fy * (d - c);
}

/// Finds the four pixels around (y, x). Positions far outside are clamped before they become
/// integers, so no offset, however large, gives a wild index; a NaN gives four pixels outside and
/// NaN fractions, so the value is NaN.
template <class T>
DRAPE_HOST_DEVICE BilinearPoint<T> bilinear_point(T y, T x, std::int32_t H, std::int32_t W) {
  y = y < T(-2) ? T(-2) : y > T(H) ? T(H) : y;
  x = x < T(-2) ? T(-2) : x > T(W) ? T(W) : x;
  const T y_floor = std::floor(y), x_floor = std::floor(x);
  const std::int32_t y0 = y_floor == y_floor ? static_cast<std::int32_t>(y_floor) : -2;
  const std::int32_t x0 = x_floor == x_floor ? static_cast<std::int32_t>(x_floor) : -2;
  // One row or column behind the image where outside, then clamped to one index: no branches, so
  // that a loop over points vectorises.
  const std::int32_t outside = H * W, far = outside + outside;
  const auto inside = [](std::int32_t i, std::int32_t extent) {
    return static_cast<std::uint32_t>(i) < static_cast<std::uint32_t>(extent);
  };
  const std::int32_t top = inside(y0, H) ? y0 * W : far;
  const std::int32_t bottom = inside(y0 + 1, H) ? (y0 + 1) * W : far;
  const std::int32_t left = inside(x0, W) ? x0 : outside;
  const std::int32_t right = inside(x0 + 1, W) ? x0 + 1 : outside;
  const auto pixel = [outside](std::int32_t row, std::int32_t column) {
    return row + column < outside ? row + column : outside;
  };
  BilinearPoint<T> point;
  point.pixel[0] = pixel(top, left);
  point.pixel[1] = pixel(top, right);
  point.pixel[2] = pixel(bottom, left);
  point.pixel[3] = pixel(bottom, right);
  point.fy = y - y_floor;
  point.fx = x - x_floor;
  return point;
}

}  // namespace drape
