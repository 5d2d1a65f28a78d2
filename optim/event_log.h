// TensorBoard's event files: a training run, as it goes.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/png.h"

namespace drape {

/// Writes "events.out.tfevents.*" into a folder: records of protocol buffers, each behind its
/// length and a checksum, as TensorFlow's event files are. What is written is there for readers at
/// once; a process that ends in the middle of a record leaves the others readable.
class EventLog {
 public:
  /// Creates a new file in the folder, which is created. Error: what make_folder says, or a file
  /// that cannot be created.
  explicit EventLog(const std::filesystem::path& folder);

  /// One number of a step.
  void scalar(std::string_view tag, std::int64_t step, double value);
  /// The distribution of values that are finite; those that are not are left out.
  void histogram(std::string_view tag, std::int64_t step, std::span<const float> values);
  void image(std::string_view tag, std::int64_t step, const GreyImage& image);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  // Writes an event: a summary of one value, of which `value` has the fields besides its tag.
  void summary(std::string_view tag, std::int64_t step, const std::string& value);
  void record(const std::string& event);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

/// The event files that lie in a folder. Error: what entries_of says.
std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder);

/// CRC-32C (Castagnoli), as in iSCSI, RFC 3720, appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace drape
