// Dropout on the CPU, of a part of a tensor: for kernels that apply it on the way in or out.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/dropout.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

// Without AVX such a vector is passed in memory. Nobody minds: these functions are inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace drape::kernels {

/// Four 32-bit words, each in the lower half of its lane; what stands above means nothing.
using Words4 = std::uint64_t __attribute__((vector_size(32)));

/// Word by word times a number, all 64 bits.
inline Words4 times(Words4 words, std::uint32_t factor) {
#if defined(__AVX2__)  // one instruction, which g++ 12 does not see in the line below
  return reinterpret_cast<Words4>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(words), _mm256_set1_epi64x(factor)));
#else
  return (words & 0xffffffffu) * std::uint64_t{factor};
#endif
}

/// stream.words(block + b) for b < 4, one after the other.
inline void words_of_four(const RandomStream& stream, std::uint64_t block, std::uint32_t* words) {
  static_assert(std::endian::native == std::endian::little);
  Words4 c0 = Words4{0, 1, 2, 3} + block, c1 = c0 >> 32;
  Words4 c2 = Words4{} + stream.id, c3 = c2 >> 32;
  auto k0 = static_cast<std::uint32_t>(stream.seed);
  auto k1 = static_cast<std::uint32_t>(stream.seed >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const Words4 p0 = times(c0, kPhiloxM0), p1 = times(c2, kPhiloxM1);
    c0 = (p1 >> 32) ^ c1 ^ std::uint64_t{k0};
    c2 = (p0 >> 32) ^ c3 ^ std::uint64_t{k1};
    c1 = p1;
    c3 = p0;
    k0 += kPhiloxW0;
    k1 += kPhiloxW1;
  }
  const Words4 first = (c0 & 0xffffffffu) | c1 << 32, second = (c2 & 0xffffffffu) | c3 << 32;
  const Words4 even = __builtin_shufflevector(first, second, 0, 4, 1, 5);
  const Words4 odd = __builtin_shufflevector(first, second, 2, 6, 3, 7);
  std::memcpy(words, &even, sizeof(even));
  std::memcpy(words + 8, &odd, sizeof(odd));
}

/// y[i] = x[i] / (1 - p) if element i is kept, else x[i] * 0, for elements begin <= i < end of a
/// tensor, where x and y point to element `begin`.
template <class T>
void dropout_range(const DropoutMask& mask, std::int64_t begin, std::int64_t end, const T* x,
                   T* y) {
  const DropoutFactor<T> factor(mask);
  const RandomStream stream = mask.drawn();
  constexpr std::int64_t kBlocks = 64;  // Philox blocks of four elements at a time
  std::uint32_t words[4 * kBlocks];
  for (std::int64_t block = begin / 4; 4 * block < end; block += kBlocks) {
    for (std::int64_t b = 0; b < kBlocks; b += 4) {
      words_of_four(stream, static_cast<std::uint64_t>(block + b), words + 4 * b);
    }
    const std::int64_t last = std::min(end, 4 * (block + kBlocks));
#pragma omp simd
    for (std::int64_t i = std::max(begin, 4 * block); i < last; ++i) {
      y[i - begin] = x[i - begin] * factor.of(words[i - 4 * block]);
    }
  }
}

}  // namespace drape::kernels
