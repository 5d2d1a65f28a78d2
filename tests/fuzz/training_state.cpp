// Training states, without their digest: no mutant would have the right one. They hold JSON within
// JSON.
#include "optim/training_state.h"

#include "core/digest.h"
#include "tests/fuzz/read_within.h"

static const std::string digest = drape::sha256_hex({});  // OpenSSL's tables are made but once

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  return drape::fuzz::read_within(
      64 * size, [&] { drape::training_state_of(drape::parse_weights(content, "input")); });
}
