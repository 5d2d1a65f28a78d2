// Weights in the safetensors format: the tensors, the content once more for its digest, and a
// header as JSON, of which two bytes of text make a number of sixteen.
#include "core/checkpoint.h"
#include "core/digest.h"
#include "tests/fuzz/read_within.h"

static const std::string digest = drape::sha256_hex({});  // OpenSSL's tables are made but once

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  return drape::fuzz::read_within(32 * size, [&] { drape::parse_weights(content, "input"); });
}
