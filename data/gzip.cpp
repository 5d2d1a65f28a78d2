#include "data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "core/check.h"

namespace drape {
namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window, and gzip's wrapper instead of zlib's
constexpr std::size_t kFirstBuffer = 64 * 1024;

// zlib counts in 32 bits: what it may see of a longer buffer at a time.
uInt window(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

class Inflater {
 public:
  Inflater(std::span<const std::uint8_t> input, std::string_view name)
      : rest_(input), size_(input.size()), name_(name) {
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  // Appends to `output` until it holds `end` bytes or the last member is over.
  // Doubles the buffer, so that memory follows what really comes.
  void fill(std::vector<std::uint8_t>& output, std::size_t end) {
    std::size_t have = output.size();
    while (have < end && !finished_) {
      if (have == output.size()) output.resize(std::min(end, std::max(kFirstBuffer, 2 * have)));
      have += step(std::span(output).subspan(have));
    }
    output.resize(have);
  }

 private:
  // One call of inflate: the number of bytes it wrote.
  std::size_t step(std::span<std::uint8_t> output) {
    const uInt given = window(rest_.size()), room = window(output.size());
    stream_.next_in = const_cast<Bytef*>(rest_.data());  // zlib only reads it
    stream_.avail_in = given;
    stream_.next_out = output.data();
    stream_.avail_out = room;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    rest_ = rest_.subspan(given - stream_.avail_in);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    DRAPE_CHECK(status != Z_BUF_ERROR,
                "gunzip: expected a complete gzip stream in '{}', got {} bytes of it (truncated)",
                name_, size_);
    DRAPE_CHECK(status == Z_OK || status == Z_STREAM_END,
                "gunzip: expected intact gzip data in '{}', got: {}", name_,
                stream_.msg != nullptr ? stream_.msg : zError(status));
    if (status == Z_STREAM_END) end_member();
    return room - stream_.avail_out;
  }

  void end_member() {
    finished_ = rest_.empty();
    DRAPE_CHECK(finished_ || is_gzip(rest_),
                "gunzip: expected the end of '{}' behind its gzip stream, got {} more bytes", name_,
                rest_.size());
    if (!finished_) inflateReset(&stream_);
  }

  z_stream stream_ = {};
  std::span<const std::uint8_t> rest_;
  std::size_t size_;
  std::string_view name_;
  bool finished_ = false;
};

}  // namespace

bool is_gzip(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> bytes, std::size_t limit,
                                 std::string_view name) {
  std::vector<std::uint8_t> output;
  // The byte beyond the limit tells a bomb; its room also lets zlib reach the checksum.
  Inflater(bytes, name).fill(output, std::max(limit, limit + 1));
  DRAPE_CHECK(output.size() <= limit,
              "gunzip: expected at most {} bytes of content in '{}', got more", limit, name);
  return output;
}

std::vector<std::uint8_t> gunzip_prefix(std::span<const std::uint8_t> bytes, std::size_t count,
                                        std::string_view name) {
  std::vector<std::uint8_t> output;
  Inflater(bytes, name).fill(output, count);
  return output;
}

}  // namespace drape
