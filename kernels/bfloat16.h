// bfloat16: the upper half of an f32, 8 bits of exponent and 7 of fraction. Stored in it, computed
// in f32.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/host_device.h"

namespace drape {

struct BFloat16 {
  BFloat16() = default;
  /// To nearest, ties to even; NaN stays NaN.
  DRAPE_HOST_DEVICE explicit BFloat16(float value) {
    const auto wide = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t half = 0x7fffu + (wide >> 16 & 1u);
    bits = static_cast<std::uint16_t>(value == value ? (wide + half) >> 16 : 0x7fc0u);
  }
  DRAPE_HOST_DEVICE operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }

  std::uint16_t bits;
};

/// The type that sums and products of T are computed in.
template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;

}  // namespace drape
