// The IDX reader and writer and the gzip reader below it: data/idx.h, data/gzip.h.
#include "data/idx.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/file.h"
#include "data/gzip.h"
#include "tests/data_helpers.h"

namespace drape {
namespace {

using tests::Bytes;
using tests::error_of;
using tests::TemporaryFolder;

const std::vector<std::int64_t> kShape = {2, 3, 4};
constexpr std::size_t kHeaderBytes = 16;

Bytes values() {
  Bytes v(24);
  std::iota(v.begin(), v.end(), std::uint8_t{100});
  return v;
}

Bytes plain_file() {
  Bytes file = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
  const Bytes payload = values();
  file.insert(file.end(), payload.begin(), payload.end());
  return file;
}

std::string parse_error(const Bytes& file) {
  return error_of([&] { parse_idx(file, "name"); });
}

Bytes first(const Bytes& file, std::size_t count) {
  return {file.begin(), file.begin() + count};
}

TEST_CASE("a plain and a gzip IDX file give shape and values") {
  for (const Bytes& file : {plain_file(), tests::gzip(plain_file())}) {
    const Idx idx = parse_idx(file, "name");
    CHECK(idx.shape == kShape);
    CHECK(idx.values == values());
  }
}

TEST_CASE("an IDX file written reads back") {
  const TemporaryFolder folder;
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{24}, kShape, std::vector<std::int64_t>(200, 1), {5, 0, 7}}) {
    const auto count =
        std::reduce(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
    const Bytes payload(static_cast<std::size_t>(count), 9);
    write_idx(folder / "f", shape, payload);
    const Idx idx = read_idx(folder / "f");
    CHECK(idx.shape == shape);
    CHECK(idx.values == payload);
  }
  write_idx(folder / "f", kShape, values());
  CHECK(tests::bytes(read_file(folder / "f", 1000)) == plain_file());
  tests::write_bytes(folder / "f.gz", tests::gzip(plain_file()));
  CHECK(read_idx(folder / "f.gz").values == values());
}

TEST_CASE("a shape and values that do not fit are not written") {
  const TemporaryFolder folder;
  const auto write = [&](const std::vector<std::int64_t>& shape, std::size_t count) {
    return error_of([&] { write_idx(folder / "f", shape, Bytes(count)); });
  };
  CHECK_THAT(write({2, 3}, 5), ContainsSubstring("shape [2,3], got 5"));
  CHECK_THAT(write({}, 1), ContainsSubstring("got 0"));
  CHECK_THAT(write(std::vector<std::int64_t>(256, 1), 1), ContainsSubstring("got 256"));
  CHECK_THAT(write({-1}, 1), ContainsSubstring("[-1]"));
  CHECK_THAT(write({std::int64_t{1} << 32}, 1), ContainsSubstring("[4294967296]"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("every truncation of an IDX file gives a clear error") {
  const Bytes file = plain_file();
  CHECK_THAT(parse_error({}), ContainsSubstring("empty"));
  for (std::size_t count = 1; count < file.size(); ++count) {
    CHECK_THAT(parse_error(first(file, count)), ContainsSubstring("truncated"));
  }
  const Bytes compressed = tests::gzip(file);
  CHECK_THAT(parse_error(first(compressed, 1)), ContainsSubstring("begins with 1f"));
  for (std::size_t count = 2; count < compressed.size(); ++count) {
    CHECK_THAT(parse_error(first(compressed, count)), ContainsSubstring("truncated"));
  }
}

TEST_CASE("a flipped bit of a plain IDX file gives an error or that value changed") {
  for (std::size_t bit = 0; bit < 8 * plain_file().size(); ++bit) {
    Bytes file = plain_file();
    file[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    if (bit / 8 < kHeaderBytes) {
      CHECK(parse_error(file) != "");
    } else {
      CHECK(parse_idx(file, "name").shape == kShape);
      CHECK(parse_idx(file, "name").values == Bytes(file.begin() + kHeaderBytes, file.end()));
    }
  }
}

TEST_CASE("a flipped bit of a gzip IDX file gives an error or the same content") {
  const Bytes intact = tests::gzip(plain_file());
  int errors = 0;
  for (std::size_t bit = 0; bit < 8 * intact.size(); ++bit) {
    Bytes file = intact;
    file[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    Idx idx;
    if (error_of([&] { idx = parse_idx(file, "name"); }) != "") {
      ++errors;
    } else {
      CHECK(idx.values == values());
    }
  }
  // Without meaning are 6 bytes of the header (time, level, system), its "text" bit, and up to 7
  // bits that fill the last byte of the compressed data.
  CHECK(errors >= static_cast<int>(8 * intact.size()) - (6 * 8 + 1 + 7));
}

TEST_CASE("bytes behind the values are refused") {
  Bytes longer = plain_file();
  longer.push_back(0);
  CHECK_THAT(parse_error(longer), ContainsSubstring("expected 40 bytes"));
  CHECK_THAT(parse_error(longer), ContainsSubstring("got 41 (trailing bytes)"));
  CHECK_THAT(parse_error(tests::gzip(longer)), ContainsSubstring("at most 40 bytes"));
  Bytes compressed = tests::gzip(plain_file());
  compressed.push_back('x');
  CHECK_THAT(parse_error(compressed), ContainsSubstring("got 1 more bytes"));
}

TEST_CASE("files of another format are named for what they are") {
  CHECK_THAT(parse_error(tests::bytes("<html>404</html>")), ContainsSubstring("HTML"));
  CHECK_THAT(parse_error(tests::bytes("PK\x03\x04....")), ContainsSubstring("ZIP"));
  CHECK_THAT(parse_error(tests::bytes("\x89PNG\r\n")), ContainsSubstring("PNG"));
  CHECK_THAT(parse_error(tests::bytes("hello")), ContainsSubstring("begins with 68 65 6c 6c"));
  CHECK_THAT(parse_error(tests::gzip(tests::bytes("<html>"))), ContainsSubstring("HTML"));
  CHECK_THAT(parse_error(tests::gzip(tests::gzip(plain_file()))), ContainsSubstring("gzip within"));
  CHECK_THAT(parse_error({0, 0, 0x0d, 1, 0, 0, 0, 0}), ContainsSubstring("got float32 (0x0d)"));
  CHECK_THAT(parse_error({0, 0, 0x0a, 1, 0, 0, 0, 0}),
             ContainsSubstring("begins with 00 00 0a 01"));
  CHECK_THAT(parse_error({0, 0, 8, 0}), ContainsSubstring("got none"));
}

TEST_CASE("a header that declares more than there is allocates nothing") {
  const Bytes huge = {0, 0, 8, 2, 0x0f, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff};
  CHECK_THAT(parse_error(huge), ContainsSubstring("truncated"));
  CHECK_THAT(parse_error(tests::gzip(huge)), ContainsSubstring("at most 1073741824 bytes"));
  Bytes overflow(4 + 4 * 3, 0xff);
  overflow[0] = overflow[1] = 0;
  overflow[2] = 8;
  overflow[3] = 3;
  CHECK_THAT(parse_error(overflow), ContainsSubstring("fits in memory"));
  const Bytes declared = {0, 0, 8, 1, 0x3f, 0, 0, 0};  // 1 GB in a stream of 30 bytes
  CHECK_THAT(parse_error(tests::gzip(declared)), ContainsSubstring("truncated"));
}

TEST_CASE("gunzip gives back what was compressed, at any size") {
  for (const std::size_t size : {0, 1, 65535, 65536, 65537, 1'000'000}) {
    Bytes content(size);
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<std::uint8_t>(i * i >> 5);
    CHECK(gunzip(tests::gzip(content), size, "name") == content);
    CHECK(gunzip_prefix(tests::gzip(content), 10, "name") ==
          first(content, std::min<std::size_t>(size, 10)));
  }
}

TEST_CASE("gunzip stops a bomb at the limit") {
  const Bytes bomb = tests::gzip(Bytes(50'000'000));
  REQUIRE(bomb.size() < 60'000);
  CHECK_THAT(error_of([&] { gunzip(bomb, 1000, "name"); }),
             ContainsSubstring("at most 1000 bytes"));
  CHECK(error_of([&] { gunzip(bomb, 49'999'999, "name"); }) != "");
  CHECK(gunzip(bomb, 50'000'000, "name").size() == 50'000'000);
}

TEST_CASE("gunzip joins the members of a file and checks each") {
  Bytes file = tests::gzip(tests::bytes("one "));
  const Bytes second = tests::gzip(tests::bytes("two"));
  file.insert(file.end(), second.begin(), second.end());
  CHECK(gunzip(file, 7, "name") == tests::bytes("one two"));
  CHECK(error_of([&] { gunzip(file, 6, "name"); }) != "");
  file[file.size() - 8] ^= 1;  // the checksum
  CHECK_THAT(error_of([&] { gunzip(file, 7, "name"); }), ContainsSubstring("incorrect data check"));
}

}  // namespace
}  // namespace drape
