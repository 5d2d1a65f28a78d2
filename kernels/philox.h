// Philox4x32-10, the counter-based random generator of Salmon et al. 2011 ("Parallel random
// numbers: as easy as 1, 2, 3"). Stateless: any thread computes any element, so the bits depend
// neither on the schedule nor on the device.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/host_device.h"

namespace drape {

/// What a round multiplies the first and the third word of the counter with, and adds to the words
/// of the key.
inline constexpr std::uint32_t kPhiloxM0 = 0xD2511F53u, kPhiloxM1 = 0xCD9E8D57u;
inline constexpr std::uint32_t kPhiloxW0 = 0x9E3779B9u, kPhiloxW1 = 0xBB67AE85u;
inline constexpr int kPhiloxRounds = 10;

/// One stream of random words. Element i is word i % 4 of the block with
///   key     = (low, high) 32 bits of seed
///   counter = (low, high) 32 bits of i / 4, then (low, high) 32 bits of id
struct RandomStream {
  std::uint64_t seed = 0;
  std::uint64_t id = 0;

  /// The four words of elements 4 * block ... 4 * block + 3.
  DRAPE_HOST_DEVICE std::array<std::uint32_t, 4> words(std::uint64_t block) const {
    std::uint32_t c0 = static_cast<std::uint32_t>(block),
                  c1 = static_cast<std::uint32_t>(block >> 32);
    std::uint32_t c2 = static_cast<std::uint32_t>(id), c3 = static_cast<std::uint32_t>(id >> 32);
    std::uint32_t k0 = static_cast<std::uint32_t>(seed),
                  k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < kPhiloxRounds; ++round) {
      const std::uint64_t p0 = std::uint64_t{kPhiloxM0} * c0, p1 = std::uint64_t{kPhiloxM1} * c2;
      c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c1 = static_cast<std::uint32_t>(p1);
      c3 = static_cast<std::uint32_t>(p0);
      k0 += kPhiloxW0;
      k1 += kPhiloxW1;
    }
    return {c0, c1, c2, c3};
  }

  DRAPE_HOST_DEVICE std::uint32_t word(std::uint64_t i) const {
    const std::array<std::uint32_t, 4> four = words(i / 4);
    const std::uint64_t index = i % 4;  // chosen, not indexed: so they stay in registers
    return index < 2 ? (index == 0 ? four[0] : four[1]) : (index == 2 ? four[2] : four[3]);
  }

  /// Element i as a uniform number in [0, 1), a multiple of 2^-24: exact in float and in double.
  DRAPE_HOST_DEVICE float uniform(std::uint64_t i) const { return to_uniform(word(i)); }

  /// The stream `*by` further on, where that is not null.
  DRAPE_HOST_DEVICE RandomStream moved(const std::uint64_t* by) const {
    return {seed, by == nullptr ? id : id + *by};
  }

  DRAPE_HOST_DEVICE static float to_uniform(std::uint32_t word) {
    return static_cast<float>(word >> 8) * 0x1p-24f;
  }
};

}  // namespace drape
