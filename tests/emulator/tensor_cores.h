// The instructions of tensor cores, as the manual of PTX shows which lane holds what.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/error.h"
#include "tests/emulator/emulator.h"

namespace drape::emulator {

/// What each lane of the warp gives.
template <class T>
struct OfLanes {
  T of[32];

  OfLanes(const T& mine, const Site& site) { gather_warp(&mine, sizeof(T), of, site); }
};

inline float float_of(std::uint32_t bits) {
  return std::bit_cast<float>(bits);
}

}  // namespace drape::emulator

inline std::uint32_t __float_as_uint(float x) {
  return std::bit_cast<std::uint32_t>(x);
}

namespace drape::kernels {

inline float round_to_tf32(float x) {
  const std::uint32_t bits = __float_as_uint(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return x;
  return emulator::float_of((bits + 0x1000u) & 0xffffe000u);
}

template <bool transposed, int count>
void load_matrices(const void* line, std::uint32_t (&words)[count]) {
  static_assert(count == 2 || count == 4);
  if (reinterpret_cast<std::uintptr_t>(line) % 16 != 0)
    throw Error("emulator: expected a line of a matrix on 16-byte bounds");
  const emulator::OfLanes<const void*> lines(line, DRAPE_SITE("ldmatrix"));
  const int lane = emulator::lane();
  for (int m = 0; m < count; ++m) {
    if constexpr (transposed) {
      const auto element = [&](int l) {
        return static_cast<const std::uint16_t*>(lines.of[8 * m + l])[lane / 4];
      };
      const int l = lane % 4 * 2;
      words[m] = element(l) | std::uint32_t{element(l + 1)} << 16;
    } else {
      words[m] = static_cast<const std::uint32_t*>(lines.of[8 * m + lane / 4])[lane % 4];
    }
  }
}

template <bool tf32>
void multiply_add(const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], float (&sums)[4]) {
  struct Given {
    std::uint32_t a[4], b[2];
  };
  const emulator::OfLanes<Given> lanes({{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, DRAPE_SITE("mma"));
  constexpr int kHalf = tf32 ? 4 : 8;  // of the depth, of which a word of a lane holds
  // TF32 has a word an element, of which 13 bits are not looked at; bf16 two elements a word.
  const auto element = [](std::uint32_t word, int depth) {
    if constexpr (tf32) return emulator::float_of(word & 0xffffe000u);
    return emulator::float_of(depth % 2 == 0 ? word << 16 : word & 0xffff0000u);
  };
  const auto holder = [](int line, int depth) {  // of an element of a line of a or b
    return line % 8 * 4 + depth % kHalf / (kHalf / 4);
  };
  const int lane = emulator::lane();
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int depth = 0; depth < 2 * kHalf; ++depth) {
      const std::uint32_t left = lanes.of[holder(row, depth)].a[row / 8 + depth / kHalf * 2];
      const std::uint32_t right = lanes.of[holder(column, depth)].b[depth / kHalf];
      sums[i] += element(left, depth) * element(right, depth);
    }
  }
}

}  // namespace drape::kernels
