// Gzip: never much more than the limit, whatever the stream expands to.
#include "data/gzip.h"

#include "tests/fuzz/read_within.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLimit = 10'000;
  return drape::fuzz::read_within(2 * kLimit,
                                  [&] { drape::gunzip(std::span(data, size), kLimit, "input"); });
}
