// bfloat16: the upper half of an f32, 8 bits of exponent and 7 of fraction. For storage alone:
// arithmetic is done in the Accumulator, and every result is rounded once.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/host_device.h"

namespace drape {

struct BFloat16 {
  BFloat16() = default;
  /// To nearest, ties to even, beyond the largest finite value to infinity; NaN stays NaN.
  DRAPE_HOST_DEVICE explicit BFloat16(float value) {
#if defined(__CUDA_ARCH__)
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
    const auto wide = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t half = 0x7fffu + (wide >> 16 & 1u);
    bits = static_cast<std::uint16_t>(value == value ? (wide + half) >> 16 : 0x7fc0u);
#endif
  }
  DRAPE_HOST_DEVICE operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }

  std::uint16_t bits;
};

/// The type that sums and products of T are computed in, and that statistics, offsets and targets
/// beside T are kept in.
template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;

}  // namespace drape
