#include "data/idx.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/file.h"
#include "data/bytes.h"
#include "data/gzip.h"

namespace drape {
namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;
constexpr std::size_t kMaximumRank = 255;
constexpr std::size_t kMaximumHeader = 4 + 4 * kMaximumRank;
constexpr std::uint64_t kMaximumValues = 1ull << 62;
constexpr std::uint64_t kMaximumBytes = 1ull << 30;  // of a file, and of what it expands to

struct Header {
  std::vector<std::int64_t> shape;
  std::uint64_t values = 1;
  std::size_t bytes() const { return 4 + 4 * shape.size(); }
};

// The name of an element type of the format; empty for a byte that is none.
std::string_view element_type(std::uint8_t code) {
  constexpr std::array<std::string_view, 7> kNames = {"uint8", "int8",    "",       "int16",
                                                      "int32", "float32", "float64"};
  const std::size_t index = code - std::size_t{kUnsignedByte};
  return index < kNames.size() ? kNames[index] : "";
}

// What a file that is no IDX seems to be.
std::string describe(std::span<const std::uint8_t> bytes) {
  using Magic = std::pair<std::string_view, std::string_view>;
  constexpr std::array kKnown = {
      Magic{"\xff\xd8\xff", "a JPEG image"}, Magic{"GIF8", "a GIF image"},
      Magic{"\x89PNG", "a PNG image"},       Magic{"PK\x03\x04", "a ZIP archive"},
      Magic{"\x93NUMPY", "a NumPy array"},   Magic{"\xfd\x37zXZ", "an xz file"},
      Magic{"BZh", "a bzip2 file"},          Magic{"\x1f\x8b", "gzip within gzip"},
      Magic{"<", "an HTML or XML page"}};
  for (const auto& [magic, what] : kKnown) {
    if (text_of(bytes).starts_with(magic)) return std::string(what);
  }
  return fmt::format("a file that begins with {:02x}",
                     fmt::join(bytes.first(std::min<std::size_t>(bytes.size(), 4)), " "));
}

// Checks the first four bytes, or as many as there are.
void check_magic(std::span<const std::uint8_t> bytes, std::string_view name) {
  DRAPE_CHECK(!bytes.empty(), "read_idx: expected an IDX file at '{}', got an empty one", name);
  std::array<std::uint8_t, 4> magic = {0, 0, kUnsignedByte, 1};
  std::copy_n(bytes.begin(), std::min(bytes.size(), magic.size()), magic.begin());
  const std::string_view type = element_type(magic[2]);
  DRAPE_CHECK(magic[0] == 0 && magic[1] == 0 && !type.empty(),
              "read_idx: expected an IDX file at '{}', got {}", name, describe(bytes));
  DRAPE_CHECK(magic[2] == kUnsignedByte,
              "read_idx: expected elements of type uint8 in '{}', got {} (0x{:02x})", name, type,
              magic[2]);
  DRAPE_CHECK(magic[3] > 0, "read_idx: expected 1 dimension or more in '{}', got none", name);
  const std::size_t expected = 4 + 4 * std::size_t{magic[3]};
  DRAPE_CHECK(bytes.size() >= 4 && bytes.size() >= expected,
              "read_idx: expected a header of {} bytes in '{}', got {} bytes in all (truncated)",
              expected, name, bytes.size());
}

// `bytes` is the file, or at least its first kMaximumHeader bytes.
Header parse_header(std::span<const std::uint8_t> bytes, std::string_view name) {
  check_magic(bytes, name);
  Header header;
  for (std::size_t i = 0; i < bytes[3]; ++i) {
    std::uint32_t dimension = 0;
    for (const std::uint8_t byte : bytes.subspan(4 + 4 * i, 4)) dimension = dimension << 8 | byte;
    header.shape.push_back(dimension);
    DRAPE_CHECK(dimension == 0 || header.values <= kMaximumValues / dimension,
                "read_idx: expected a shape that fits in memory in '{}', got [{}{}]", name,
                fmt::join(header.shape, ","), i + 1 < bytes[3] ? ",..." : "");
    header.values *= dimension;
  }
  return header;
}

Idx parse_plain(std::span<const std::uint8_t> file, std::string_view name) {
  const Header header = parse_header(file, name);
  const std::uint64_t expected = header.bytes() + header.values;
  DRAPE_CHECK(file.size() == expected,
              "read_idx: expected {} bytes for shape [{}] in '{}', got {} ({})", expected,
              fmt::join(header.shape, ","), name, file.size(),
              file.size() < expected ? "truncated" : "trailing bytes");
  const auto values = file.subspan(header.bytes());
  return {header.shape, {values.begin(), values.end()}};
}

// Reads the header first, then lets the rest expand to what the header declares.
Idx parse_gzip(std::span<const std::uint8_t> file, std::string_view name) {
  const Header header = parse_header(gunzip_prefix(file, kMaximumHeader, name), name);
  const std::uint64_t declared = header.bytes() + header.values;
  DRAPE_CHECK(declared <= kMaximumBytes,
              "read_idx: expected at most {} bytes in compressed '{}', got shape [{}]",
              kMaximumBytes, name, fmt::join(header.shape, ","));
  return parse_plain(gunzip(file, declared, name), name);
}

}  // namespace

Idx parse_idx(std::span<const std::uint8_t> bytes, std::string_view name) {
  return is_gzip(bytes) ? parse_gzip(bytes, name) : parse_plain(bytes, name);
}

Idx read_idx(const std::filesystem::path& path) {
  return parse_idx(bytes_of(read_file(path, kMaximumBytes)), path.string());
}

std::vector<std::uint8_t> idx_header(std::span<const std::int64_t> shape) {
  DRAPE_CHECK(!shape.empty() && shape.size() <= kMaximumRank,
              "write_idx: expected 1 to {} dimensions, got {}", kMaximumRank, shape.size());
  std::vector<std::uint8_t> header = {0, 0, kUnsignedByte, static_cast<std::uint8_t>(shape.size())};
  for (const std::int64_t dimension : shape) {
    DRAPE_CHECK(dimension >= 0 && dimension <= 0xffffffff,
                "write_idx: expected dimensions from 0 to 2^32-1, got [{}]", fmt::join(shape, ","));
    for (int shift = 24; shift >= 0; shift -= 8) {
      header.push_back(static_cast<std::uint8_t>(dimension >> shift));
    }
  }
  return header;
}

void write_idx(const std::filesystem::path& path, std::span<const std::int64_t> shape,
               std::span<const std::uint8_t> values) {
  const std::vector<std::uint8_t> header = idx_header(shape);
  DRAPE_CHECK(parse_header(header, path.string()).values == values.size(),
              "write_idx: expected values for shape [{}], got {} of them", fmt::join(shape, ","),
              values.size());
  std::string file(text_of(header));
  file += text_of(values);
  write_file_atomically(path, file);
}

}  // namespace drape
