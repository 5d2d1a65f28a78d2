// The gzip format (RFC 1952) in memory, on zlib: strict, and never more output than allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace drape {

/// Deflate, gzip's and PNG's compression (RFC 1951), makes at most so many bytes of one: 258 of two
/// bits.
inline constexpr std::size_t kMostDeflation = 1032;

/// True if the bytes begin as a gzip stream does: 1f 8b.
bool is_gzip(std::span<const std::uint8_t> bytes);

/// The decompressed content of one or more gzip members. `name` is for messages.
/// Memory grows with the actual output, not with `limit`.
/// Error: more than `limit` bytes of output, a truncated stream, a wrong checksum, bytes behind the
/// end.
std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> bytes, std::size_t limit,
                                 std::string_view name);

/// The first `count` bytes of the content, or all of it if it is shorter. What follows is not
/// checked.
std::vector<std::uint8_t> gunzip_prefix(std::span<const std::uint8_t> bytes, std::size_t count,
                                        std::string_view name);

}  // namespace drape
