// The IDX format of the MNIST family (LeCun, Cortes & Burges, "The MNIST database of handwritten
// digits"):
//   bytes 0-1 zero, byte 2 the element type (0x08: unsigned byte), byte 3 the number of dimensions,
//   then each dimension as a big-endian 32-bit number, then the values, last dimension fastest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace drape {

/// An array of bytes; values.size() is the product of the shape.
struct Idx {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> values;
};

/// Reads unsigned-byte IDX, plain or gzip (told apart by the first bytes). `name` is for messages.
/// The header must account for every byte. A gzip file may expand to what its header declares; no
/// file, nor what it expands to, may exceed 1 GiB.
/// Error: empty, not IDX, another element type, truncated, trailing bytes, corrupt gzip.
Idx parse_idx(std::span<const std::uint8_t> bytes, std::string_view name);
Idx read_idx(const std::filesystem::path& path);

/// The header of an unsigned-byte IDX file. Error: not 1 ... 255 dimensions of 0 ... 2^32-1 each.
std::vector<std::uint8_t> idx_header(std::span<const std::int64_t> shape);

/// Writes a plain IDX file, complete or not at all. Error: values do not fill the shape; the disk.
void write_idx(const std::filesystem::path& path, std::span<const std::int64_t> shape,
               std::span<const std::uint8_t> values);

}  // namespace drape
