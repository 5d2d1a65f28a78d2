// What a mutated PNG needs to be read beyond its first chunk.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <span>

/// libFuzzer's own mutation: the new size, of at most `most` bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace drape::fuzz {

/// Puts the checksums of all whole chunks right: length, type, data, CRC-32 of type and data (PNG
/// specification, section 5.3), behind a signature of 8 bytes.
inline void correct_checksums(std::span<std::uint8_t> png) {
  const auto number = [&](std::size_t at) {
    return std::size_t{png[at]} << 24 | std::size_t{png[at + 1]} << 16 |
           std::size_t{png[at + 2]} << 8 | std::size_t{png[at + 3]};
  };
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t length = number(at);
    if (length > png.size() - at - 12) return;
    const auto sum = crc32(0, png.data() + at + 4, static_cast<uInt>(length + 4));
    at += 8 + length;
    for (int shift = 24; shift >= 0; shift -= 8)
      png[at++] = static_cast<std::uint8_t>(sum >> shift);
  }
}

}  // namespace drape::fuzz
