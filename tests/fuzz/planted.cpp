// A reader with a bug behind a flag, DRAPE_PLANTED: the control that fuzzing must find.
#include <stdexcept>
#include <string_view>
#include <vector>

#include "tests/fuzz/read_within.h"

namespace {

constexpr std::string_view kPlanted = DRAPE_PLANTED;

void read(const std::vector<char>& bytes) {
  if (!std::string_view(bytes.data(), bytes.size()).starts_with(kPlanted)) return;
  if (kPlanted == "overrun") {
    const volatile char next = bytes.data()[bytes.size()];
    static_cast<void>(next);
  } else if (kPlanted == "hoard") {
    const std::vector<char> claimed(std::size_t{1} << 20);
    const volatile char first = claimed[0];
    static_cast<void>(first);
  } else {
    throw std::out_of_range("planted");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  return drape::fuzz::read_within(2 * size, [&] { read({data, data + size}); });
}
