#include "optim/event_log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <protozero/pbf_writer.hpp>

#include "core/check.h"
#include "core/file.h"

namespace drape {
namespace {

using protozero::pbf_writer;

// Field numbers of event.proto and summary.proto.
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5 };
enum SummaryField { kValue = 1 };
enum ValueField { kTag = 1, kScalar = 2, kImage = 4, kHistogram = 5 };
enum ImageField { kHeight = 1, kWidth = 2, kColourspace = 3, kEncoded = 4 };
enum HistogramField { kMin = 1, kMax, kCount, kSum, kSumOfSquares, kLimits, kBuckets };

constexpr std::string_view kFilePrefix = "events.out.tfevents.";

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A checksum that may lie among what is summed up: rotated, and moved by a constant.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// Upper limits of buckets, which grow by a tenth: negative, around zero, positive.
const std::vector<double>& bucket_limits() {
  static const std::vector<double> limits = [] {
    std::vector<double> positive;
    for (double limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push_back(limit);
    std::vector<double> all;
    for (auto limit = positive.rbegin(); limit != positive.rend(); ++limit) all.push_back(-*limit);
    all.push_back(0.0);
    all.insert(all.end(), positive.begin(), positive.end());
    all.push_back(std::numeric_limits<double>::max());
    return all;
  }();
  return limits;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
      entries[i] = crc;
    }
    return entries;
  }();
  std::uint32_t crc = ~0u;
  for (const char byte : bytes)
    crc = (crc >> 8) ^ table[(crc ^ static_cast<std::uint8_t>(byte)) & 0xffu];
  return ~crc;
}

std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files = entries_of(folder);
  std::erase_if(files, [](const std::filesystem::path& file) {
    return !file.filename().string().starts_with(kFilePrefix);
  });
  return files;
}

EventLog::EventLog(const std::filesystem::path& folder) {
  make_folder(folder);
  // In the order of their beginnings, and no two alike.
  path_ = folder / fmt::format("{}{:.0f}.{}.drape", kFilePrefix, 1e6 * now(), ::getpid());
  file_.reset(std::fopen(path_.c_str(), "wbx"));
  DRAPE_CHECK(file_, "event log: expected to create '{}', got: {}", path_.string(),
              std::strerror(errno));
  std::string event;
  pbf_writer writer(event);
  writer.add_double(kWallTime, now());
  writer.add_string(kFileVersion, "brain.Event:2");
  record(event);
}

void EventLog::scalar(std::string_view tag, std::int64_t step, double value) {
  std::string fields;
  pbf_writer(fields).add_float(kScalar, static_cast<float>(value));
  summary(tag, step, fields);
}

void EventLog::histogram(std::string_view tag, std::int64_t step, std::span<const float> values) {
  const std::vector<double>& limits = bucket_limits();
  std::vector<double> buckets(limits.size());
  double least = std::numeric_limits<double>::max(), most = -least;
  double count = 0.0, sum = 0.0, squares = 0.0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const double x = value;
    least = std::min(least, x);
    most = std::max(most, x);
    count += 1.0;
    sum += x;
    squares += x * x;
    buckets[static_cast<std::size_t>(std::ranges::upper_bound(limits, x) - limits.begin())] += 1.0;
  }
  if (count == 0.0) return;
  // What lies outside is left out, but for one empty bucket that says where the first begins.
  auto first = std::ranges::find_if(buckets, [](double n) { return n > 0.0; });
  auto last =
      std::find_if(buckets.rbegin(), buckets.rend(), [](double n) { return n > 0.0; }).base();
  if (first != buckets.begin()) --first;
  const auto begin = first - buckets.begin(), end = last - buckets.begin();
  std::string fields;
  {
    pbf_writer writer(fields);
    pbf_writer body(writer, kHistogram);
    body.add_double(kMin, least);
    body.add_double(kMax, most);
    body.add_double(kCount, count);
    body.add_double(kSum, sum);
    body.add_double(kSumOfSquares, squares);
    body.add_packed_double(kLimits, limits.begin() + begin, limits.begin() + end);
    body.add_packed_double(kBuckets, first, last);
  }
  summary(tag, step, fields);
}

void EventLog::image(std::string_view tag, std::int64_t step, const GreyImage& image) {
  const std::vector<std::uint8_t> png = png_of(image);
  std::string fields;
  {
    pbf_writer writer(fields);
    pbf_writer body(writer, kImage);
    body.add_int32(kHeight, static_cast<std::int32_t>(image.height));
    body.add_int32(kWidth, static_cast<std::int32_t>(image.width));
    body.add_int32(kColourspace, 1);  // greys
    body.add_bytes(kEncoded, reinterpret_cast<const char*>(png.data()), png.size());
  }
  summary(tag, step, fields);
}

void EventLog::summary(std::string_view tag, std::int64_t step, const std::string& value) {
  std::string entry;
  pbf_writer(entry).add_string(kTag, tag.data(), tag.size());
  entry += value;
  std::string values;
  pbf_writer(values).add_message(kValue, entry);
  std::string event;
  pbf_writer writer(event);
  writer.add_double(kWallTime, now());
  writer.add_int64(kStep, step);
  writer.add_message(kSummary, values);
  record(event);
}

void EventLog::record(const std::string& event) {
  const std::string length = little_endian(static_cast<std::uint64_t>(event.size()));
  const std::string bytes =
      length + little_endian(masked_crc(length)) + event + little_endian(masked_crc(event));
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size() &&
                       std::fflush(file_.get()) == 0;
  DRAPE_CHECK(written, "event log: expected to write '{}', got: {}", path_.string(),
              std::strerror(errno));
}

}  // namespace drape
