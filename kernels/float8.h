// Eight floats at a time: the compilers' vector type, which lowers to whatever the machine has.
#pragma once

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
  std::memcpy(to, &v, count >= 8 ? sizeof(v) : static_cast<std::size_t>(count) * sizeof(float));
}

/// Eight numbers of 0 ... 255, in a byte each. (What __builtin_convertvector makes of bytes goes
/// one by one in g++ 12.)
inline Int8 load_bytes8(const std::uint8_t* from, std::int64_t count = 8) {
  std::int32_t word[2] = {};
  std::memcpy(word, from, count >= 8 ? sizeof(word) : static_cast<std::size_t>(count));
  const Int8 words{word[0], word[0], word[0], word[0], word[1], word[1], word[1], word[1]};
  return (words >> Int8{0, 8, 16, 24, 0, 8, 16, 24}) & 0xff;
}

inline void store_bytes8(Int8 v, std::uint8_t* to, std::int64_t count = 8) {
  using Short8 = std::int16_t __attribute__((vector_size(16)));
  using Bytes16 = std::uint8_t __attribute__((vector_size(16)));
  const auto pairs = reinterpret_cast<Bytes16>(__builtin_convertvector(v, Short8));
  const auto bytes = __builtin_shufflevector(pairs, pairs, 0, 2, 4, 6, 8, 10, 12, 14);
  std::memcpy(to, &bytes, count >= 8 ? sizeof(bytes) : static_cast<std::size_t>(count));
}

}  // namespace drape::kernels
