#include "examples/offset_history.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "core/file.h"
#include "examples/fields.h"
#include "examples/first_batch.h"
#include "examples/fraction.h"
#include "layers/deform_conv2d.h"

namespace drape {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kCountedImages = 64;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr std::int64_t kMostCounted = std::int64_t{1} << 48;
constexpr const char* kOffsetsFile = "offsets.json";

OffsetHistogram parse_histogram(const Json& json) {
  const Fields fields(json);
  OffsetHistogram one;
  one.epoch = fields.get<int>("epoch");
  one.layer = fields.get<std::string>("layer");
  one.side = fields.get<std::int64_t>("side");
  one.escaping = fields.get<std::int64_t>("escaping");
  const Json& counts = fields.at("counts");
  DRAPE_CHECK(counts.is_array() && counts.size() == one.counts.size(), "expected {} counts, got {}",
              one.counts.size(), counts.size());
  for (std::size_t i = 0; i < one.counts.size(); ++i)
    one.counts[i] = Fields::convert<std::int64_t>(counts[i], "counts");
  const bool counted =
      std::ranges::all_of(one.counts, [](std::int64_t c) { return c >= 0 && c <= kMostCounted; });
  DRAPE_CHECK(counted && one.escaping >= 0 && one.escaping <= one.total(),
              "expected counts of 0 ... 2^48 of which some escape, got others in epoch {}",
              one.epoch);
  DRAPE_CHECK(one.epoch >= 1 && one.side >= 1, "expected an epoch and a side >= 1, got {} and {}",
              one.epoch, one.side);
  return one;
}

OffsetHistory parse_offsets(const std::string& text) {
  const Json json = Json::parse(text);
  DRAPE_CHECK(json.at("bin_ends") == Json(kOffsetBinEnds), "expected bins that end at {}, got {}",
              Json(kOffsetBinEnds).dump(), json.at("bin_ends").dump());
  OffsetHistory history;
  for (const Json& one : json.at("histograms")) history.push_back(parse_histogram(one));
  DRAPE_CHECK(std::ranges::is_sorted(history, {}, &OffsetHistogram::epoch),
              "expected histograms by epoch, got another order");
  return history;
}

}  // namespace

std::int64_t OffsetHistogram::total() const {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

double OffsetHistogram::dead_part() const {
  return fraction(counts.front(), total());
}

double OffsetHistogram::escaping_part() const {
  return fraction(escaping, total());
}

OffsetHistogram count_offsets(const Tensor& offsets, std::int64_t side) {
  OffsetHistogram result;
  result.side = side;
  const std::vector<float> values = offsets.to(DType::f32).to_vector<float>();
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    const double length = std::hypot(values[i], values[i + 1]);
    // NaN is below no end: it escapes too.
    const auto bin = std::ranges::find_if(kOffsetBinEnds, [&](double end) { return length < end; });
    ++result.counts[static_cast<std::size_t>(bin - kOffsetBinEnds.begin())];
    if (!(length <= static_cast<double>(side) / 2)) ++result.escaping;
  }
  return result;
}

void write_offsets(const OffsetHistory& history, const std::filesystem::path& folder) {
  Json json = {{"bin_ends", kOffsetBinEnds}, {"histograms", Json::array()}};
  for (const OffsetHistogram& one : history)
    json["histograms"].push_back({{"epoch", one.epoch},
                                  {"layer", one.layer},
                                  {"side", one.side},
                                  {"counts", one.counts},
                                  {"escaping", one.escaping}});
  write_file_atomically(folder / kOffsetsFile, file_text(json, /*indent=*/-1));
}

OffsetHistory read_offsets(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kOffsetsFile;
  if (!std::filesystem::exists(path)) return {};
  const std::string content = read_file(path, kMostBytes);
  try {
    return parse_offsets(content);
  } catch (const Json::exception& error) {
    throw Error(fmt::format("{}: {}", path.string(), error.what()));
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path.string(), error.what()));
  }
}

OffsetRecorder::OffsetRecorder(std::filesystem::path folder, Sequential& model,
                               const Examples& examples)
    : folder_(std::move(folder)),
      model_(model),
      images_(first_batch(examples, kCountedImages, model).x) {}

void OffsetRecorder::on_resume(const Resumption& from) {
  history_ = read_offsets(folder_);
  const int finished = static_cast<int>(from.history.size());
  std::erase_if(history_, [&](const OffsetHistogram& one) { return one.epoch > finished; });
}

void OffsetRecorder::on_epoch_end(const History& history, Standing /*standing*/) {
  const std::size_t before = history_.size();
  each_deformable(
      model_, images_, [&](const std::string& name, DeformConv2d& layer, const Tensor& x) {
        OffsetHistogram& one = history_.emplace_back(count_offsets(layer.offsets(x), x.shape()[1]));
        one.epoch = history.back().epoch;
        one.layer = name;
      });
  if (history_.size() > before) write_offsets(history_, folder_);
}

}  // namespace drape
