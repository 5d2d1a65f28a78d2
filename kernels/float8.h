// Eight floats at a time: the compilers' vector type, which lowers to whatever the machine has.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

// Without AVX such a vector is passed in memory. Nobody minds: these functions are inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace drape::kernels {

using Float8 = float __attribute__((vector_size(32)));
using Int8 = std::int32_t __attribute__((vector_size(32)));  // what comparing two Float8 gives, too

inline Float8 load8(const float* from) {
  Float8 v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}

inline void store8(Float8 v, float* to) {
  std::memcpy(to, &v, sizeof(v));
}

/// The first `count` of them, 1 <= count; the others are zero, or stay as they are in memory.
inline Float8 load8(const float* from, std::int64_t count) {
  if (count >= 8) return load8(from);
  Float8 v{};
  std::memcpy(&v, from, static_cast<std::size_t>(count) * sizeof(float));
  return v;
}

inline void store8(Float8 v, float* to, std::int64_t count) {
  if (count >= 8) return store8(v, to);
  std::memcpy(to, &v, static_cast<std::size_t>(count) * sizeof(float));
}

/// max(z, 0). NaN stays NaN.
inline Float8 relu8(Float8 z) {
  return z < 0.0f ? Float8{} : z;
}

/// Row i of the result is made of elements i.
inline std::array<Float8, 8> transposed(const std::array<Float8, 8>& rows) {
  std::array<Float8, 8> pairs, fours, all;  // of so many rows' elements, side by side
  for (std::size_t i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (std::size_t i = 0; i < 8; i += 4) {
    for (std::size_t j = 0; j < 2; ++j) {
      const Float8 low = pairs[i + j], high = pairs[i + j + 2];
      fours[i + 2 * j] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
      fours[i + 2 * j + 1] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    all[i] = __builtin_shufflevector(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    all[i + 4] = __builtin_shufflevector(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
  return all;
}

/// Eight numbers of 0 ... 255, in a byte each. (What __builtin_convertvector makes of bytes goes
/// one by one in g++ 12.)
inline Int8 load_bytes8(const std::uint8_t* from, std::int64_t count = 8) {
  std::int32_t word[2] = {};
  count >= 8 ? std::memcpy(word, from, 8)
             : std::memcpy(word, from, static_cast<std::size_t>(count));
  const Int8 words{word[0], word[0], word[0], word[0], word[1], word[1], word[1], word[1]};
  return (words >> Int8{0, 8, 16, 24, 0, 8, 16, 24}) & 0xff;
}

inline void store_bytes8(Int8 v, std::uint8_t* to, std::int64_t count = 8) {
  using Short8 = std::int16_t __attribute__((vector_size(16)));
  using Bytes16 = std::uint8_t __attribute__((vector_size(16)));
  const auto pairs = reinterpret_cast<Bytes16>(__builtin_convertvector(v, Short8));
  const auto bytes = __builtin_shufflevector(pairs, pairs, 0, 2, 4, 6, 8, 10, 12, 14);
  count >= 8 ? std::memcpy(to, &bytes, 8)
             : std::memcpy(to, &bytes, static_cast<std::size_t>(count));
}

}  // namespace drape::kernels
