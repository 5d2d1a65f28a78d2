#include "core/digest.h"

#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <array>

#include "core/check.h"

namespace drape {

void Sha256::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  DRAPE_CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
              "sha256: expected OpenSSL to offer SHA-256, got none");
}

void Sha256::update(std::span<const std::uint8_t> bytes) {
  DRAPE_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1,
              "sha256: expected OpenSSL to take {} bytes, got a failure", bytes.size());
}

std::string Sha256::hex() {
  std::array<std::uint8_t, 32> digest;
  DRAPE_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1,
              "sha256: expected OpenSSL to finish a digest, got a failure");
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string sha256_hex(std::span<const std::uint8_t> bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.hex();
}

}  // namespace drape
