// TensorBoard's event files: framing, checksums and content, read back field by field.
#include "optim/event_log.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

#include "examples/run_result.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/programs.h"

namespace {

namespace fs = std::filesystem;
using drape::event_files;
using drape::EventLog;
using drape::tests::content;
using drape::tests::quoted;
using drape::tests::TemporaryFolder;
using protozero::pbf_reader;

template <class T>
T read(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

std::uint32_t unmasked(std::uint32_t crc) {
  const std::uint32_t rotated = crc - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

// The events of a folder's only file of them, whose lengths and checksums are right.
std::vector<std::string> events_in(const fs::path& folder) {
  const std::vector<fs::path> files = event_files(folder);
  REQUIRE(files.size() == 1);
  const std::string file = content(files[0]);
  std::vector<std::string> events;
  for (std::size_t at = 0; at < file.size();) {
    const auto length = read<std::uint64_t>(file, at);
    CHECK(unmasked(read<std::uint32_t>(file, at + 8)) == drape::crc32c(file.substr(at, 8)));
    events.push_back(file.substr(at + 12, length));
    CHECK(unmasked(read<std::uint32_t>(file, at + 12 + length)) == drape::crc32c(events.back()));
    at += 16 + length;
  }
  return events;
}

// The only value of an event's summary.
pbf_reader value_of(const std::string& event) {
  pbf_reader fields(event);
  REQUIRE(fields.next(5));
  pbf_reader summary = fields.get_message();
  REQUIRE(summary.next(1));
  return summary.get_message();
}

}  // namespace

TEST_CASE("CRC-32C gives the values of RFC 3720") {
  CHECK(drape::crc32c(std::string(32, '\0')) == 0x8a9136aau);
  CHECK(drape::crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
  CHECK(drape::crc32c("123456789") == 0xe3069283u);
}

TEST_CASE("an event file begins with its version and has a record for each value") {
  const TemporaryFolder folder;
  EventLog log(folder / "events");
  log.scalar("loss/train", 3, 0.25);
  const std::vector<std::string> events = events_in(folder / "events");
  REQUIRE(events.size() == 2);
  CHECK_THAT(events[0], ContainsSubstring("brain.Event:2"));
  pbf_reader step(events[1]);
  REQUIRE(step.next(2));
  CHECK(step.get_int64() == 3);
  pbf_reader value = value_of(events[1]);
  REQUIRE(value.next(1));
  CHECK(value.get_string() == "loss/train");
  REQUIRE(value.next(2));
  CHECK(value.get_float() == 0.25f);
}

TEST_CASE("a histogram counts every finite value once, between its limits") {
  const TemporaryFolder folder;
  EventLog log(folder / "events");
  const std::vector<float> values{-2.0f,
                                  0.0f,
                                  0.5f,
                                  0.5f,
                                  3.0f,
                                  std::numeric_limits<float>::quiet_NaN(),
                                  std::numeric_limits<float>::infinity()};
  log.histogram("w", 1, values);
  log.histogram("nothing", 1, std::vector<float>{std::nanf("")});
  const std::vector<std::string> events = events_in(folder / "events");
  REQUIRE(events.size() == 2);
  pbf_reader value = value_of(events[1]);
  REQUIRE(value.next(5));
  pbf_reader histogram = value.get_message();
  double count = 0.0, sum = 0.0, squares = 0.0;
  std::vector<double> limits, buckets;
  while (histogram.next()) {
    switch (histogram.tag()) {
      case 1:
        CHECK(histogram.get_double() == -2.0);
        break;
      case 2:
        CHECK(histogram.get_double() == 3.0);
        break;
      case 3:
        count = histogram.get_double();
        break;
      case 4:
        sum = histogram.get_double();
        break;
      case 5:
        squares = histogram.get_double();
        break;
      case 6:
        for (const double limit : histogram.get_packed_double()) limits.push_back(limit);
        break;
      default:
        for (const double bucket : histogram.get_packed_double()) buckets.push_back(bucket);
    }
  }
  CHECK(count == 5.0);
  CHECK(sum == 2.0);
  CHECK(squares == 13.5);
  REQUIRE(limits.size() == buckets.size());
  double counted = 0.0, below_zero = 0.0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    counted += buckets[i];
    if (limits[i] <= 0.0) below_zero += buckets[i];
  }
  CHECK(counted == 5.0);
  CHECK(below_zero == 1.0);
}

TEST_CASE("a program that is told to writes the figures and distributions of each epoch") {
  const TemporaryFolder folder;
  const std::string options = "deformable --synthetic --limit 24 --epochs 2 --quiet --out ";
  REQUIRE(drape::tests::run(options + quoted(folder / "with") + " --tensorboard").exit_code == 0);
  std::map<std::string, std::vector<std::int64_t>> steps;
  std::map<std::string, float> last;
  const std::vector<std::string> events = events_in(folder / "with/deformable/seed0");
  for (std::size_t i = 1; i < events.size(); ++i) {
    pbf_reader value = value_of(events[i]);
    REQUIRE(value.next(1));
    const std::string tag = value.get_string();
    if (value.next(2)) last[tag] = value.get_float();
    pbf_reader event(events[i]);
    steps[tag].push_back(event.next(2) ? event.get_int64() : 0);
  }
  const std::vector<std::int64_t> epochs{1, 2};
  for (const char* tag :
       {"loss/train", "loss/validation", "accuracy/train", "accuracy/validation", "learning_rate",
        "seconds", "parameters/conv1.weight", "parameters/linear2.bias", "offsets/conv1"}) {
    CAPTURE(tag);
    CHECK(steps[tag] == epochs);
  }
  CHECK(steps["images/0"] == std::vector<std::int64_t>{0});
  const drape::EpochRecord record =
      drape::read_run(folder / "with/deformable/seed0").history.back();
  CHECK(last["loss/train"] == static_cast<float>(record.train_loss));
  CHECK(last["loss/validation"] == static_cast<float>(record.validation_loss));
  CHECK(last["accuracy/train"] == static_cast<float>(record.train_accuracy));
  CHECK(last["accuracy/validation"] == static_cast<float>(record.validation_accuracy));
  CHECK(last["learning_rate"] == static_cast<float>(record.learning_rate));

  const std::string again = options + quoted(folder / "with");
  const std::vector<fs::path> files = event_files(folder / "with/deformable/seed0");
  CHECK(drape::tests::run(again + " --tensorboard --resume").exit_code == 0);
  CHECK(event_files(folder / "with/deformable/seed0").front() == files.front());
  CHECK(drape::tests::run(again + " --tensorboard").exit_code == 0);  // another run in its place
  CHECK(events_in(folder / "with/deformable/seed0").size() == events.size());
  CHECK(drape::tests::run(again).exit_code == 0);
  CHECK(event_files(folder / "with/deformable/seed0").empty());

  REQUIRE(drape::tests::run(options + quoted(folder / "without")).exit_code == 0);
  for (const auto& entry : fs::directory_iterator(folder / "without/deformable/seed0"))
    CHECK(entry.path().string().find("tfevents") == std::string::npos);
}

TEST_CASE("an image is in its event as a PNG") {
  const TemporaryFolder folder;
  EventLog log(folder / "events");
  log.image("x", 0, {1, 2, {7, 200}});
  const auto events = events_in(folder / "events");
  pbf_reader value = value_of(events.at(1));
  REQUIRE(value.next(4));
  pbf_reader image = value.get_message();
  REQUIRE(image.next(4));
  const std::string png = image.get_bytes();
  const drape::GreyImage read_back =
      drape::parse_png({reinterpret_cast<const std::uint8_t*>(png.data()), png.size()}, "event");
  CHECK(read_back.pixels == std::vector<std::uint8_t>{7, 200});
}
