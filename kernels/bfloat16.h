// bfloat16: the upper 16 bits of a float, so its range at 8 significant bits. For storage alone:
// arithmetic is done in the type's Accumulator, and every result is rounded once.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/host_device.h"

namespace drape {

/// Rounds to nearest, ties to even; what is beyond the largest finite value becomes infinite, and
/// NaN stays NaN. The conversion to float is exact.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  DRAPE_HOST_DEVICE explicit BFloat16(float value) {
#if defined(__CUDA_ARCH__)
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
    const auto word = std::bit_cast<std::uint32_t>(value);
    const bool is_nan = value != value;  // made quiet, or what is left of it might be infinity
    const std::uint32_t rounded = is_nan ? word | 0x400000u : word + 0x7fffu + (word >> 16 & 1u);
    bits = static_cast<std::uint16_t>(rounded >> 16);
#endif
  }
  DRAPE_HOST_DEVICE operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

namespace detail {
template <class T>
struct AccumulatorOf {
  using Type = T;
};
template <>
struct AccumulatorOf<BFloat16> {
  using Type = float;
};
}  // namespace detail

/// What elements of type T are computed in, and what statistics and offsets beside them are kept
/// in: float for BFloat16, else T itself.
template <class T>
using Accumulator = typename detail::AccumulatorOf<T>::Type;

}  // namespace drape
