// SHA-256: core/digest.h.
#include "core/digest.h"

#include "data/bytes.h"
#include "tests/catch.h"

using drape::bytes_of;
using drape::sha256_hex;

TEST_CASE("SHA-256 gives the digests of FIPS 180") {
  CHECK(sha256_hex({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex(bytes_of("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex(bytes_of(std::string(1'000'000, 'a'))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 of pieces is that of the whole") {
  drape::Sha256 pieces;
  pieces.update(bytes_of("a"));
  pieces.update({});
  pieces.update(bytes_of("bc"));
  CHECK(pieces.hex() == sha256_hex(bytes_of("abc")));
}
