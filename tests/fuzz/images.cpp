// PNG and IDX as images, and these at the size that networks take: a bit as a byte, in pixels
// and in three rows of libpng's.
#include "data/images.h"

#include "data/gzip.h"
#include "tests/fuzz/png_chunks.h"
#include "tests/fuzz/read_within.h"

constexpr std::size_t kResized = 1 << 15;  // pixels: more take the time of many inputs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t most = 8 * (1 + 3) * drape::kMostDeflation * size;
  return drape::fuzz::read_within(most, [&] {
    for (const drape::NamedImage& one : drape::parse_images(std::span(data, size), "input"))
      if (one.image.pixels.size() <= kResized) drape::resized(one.image, 28);
  });
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  if (seed % 8 != 0) drape::fuzz::correct_checksums(std::span(data, size));
  return size;
}
