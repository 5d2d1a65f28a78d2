// IDX, plain or gzip: the values twice, as they are decompressed and as they are handed out.
#include "data/idx.h"

#include "data/gzip.h"
#include "tests/fuzz/read_within.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(data, size);
  const std::size_t content = size * (drape::is_gzip(bytes) ? drape::kMostDeflation : 1);
  return drape::fuzz::read_within(2 * content, [&] { drape::parse_idx(bytes, "input"); });
}
