// PNG and IDX as images: a bit as a byte, in three colours of pixels and in three rows of libpng's.
// Then these at the size that networks take, which needs next to nothing.
#include "data/images.h"

#include "data/gzip.h"
#include "tests/fuzz/png_chunks.h"
#include "tests/fuzz/read_within.h"

constexpr std::size_t kResized = 1 << 11;  // pixels: more take the time of many inputs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using drape::fuzz::read_within;
  std::vector<drape::NamedImage> images;
  read_within(8 * (3 + 3) * drape::kMostDeflation * size,
              [&] { images = drape::parse_images(std::span(data, size), "input"); });
  for (const drape::NamedImage& one : images) {
    if (one.image.pixels.size() <= kResized) read_within(0, [&] { drape::resized(one.image, 28); });
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  if (seed % 8 != 0) drape::fuzz::correct_checksums(std::span(data, size));
  return size;
}
