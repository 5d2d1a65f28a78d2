#include "examples/run_result.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/check.h"
#include "core/file.h"
#include "examples/fields.h"
#include "models/systems.h"

namespace drape {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxQuoted = 80;  // of a wrong text in a message

void check_fraction(double value, std::string_view name) {
  DRAPE_CHECK(value >= 0.0 && value <= 1.0, "run: expected {} in [0, 1], got {}", name, value);
}

void check_quantity(double value, std::string_view name) {
  DRAPE_CHECK(std::isfinite(value) && value >= 0.0, "run: expected a finite {} >= 0, got {}", name,
              value);
}

void validate_history(const RunResult& run) {
  DRAPE_CHECK(run.history.size() == static_cast<std::size_t>(run.epochs_run),
              "run: expected a history of {} epochs, got {}", run.epochs_run, run.history.size());
  for (int expected = 1; const EpochRecord& record : run.history) {
    DRAPE_CHECK(record.epoch == expected, "run: expected epoch {} in the history, got {}", expected,
                record.epoch);
    check_fraction(record.train_accuracy, "train_accuracy");
    check_fraction(record.validation_accuracy, "validation_accuracy");
    for (const EpochColumn& column : kEpochColumns)
      check_quantity(record.*column.number, "number in the history");
    ++expected;
  }
}

void validate_confusion(const Confusion& confusion) {
  for (const auto& row : confusion) {
    DRAPE_CHECK(row.size() == confusion.size(),
                "run: expected a square confusion matrix, got {}x{}", confusion.size(), row.size());
    for (const std::int64_t count : row)
      DRAPE_CHECK(count >= 0, "run: expected confusion counts >= 0, got {}", count);
  }
}

Confusion parse_confusion(const Json& rows) {
  DRAPE_CHECK(rows.is_array(), "expected an array for 'confusion', got {}", rows.type_name());
  Confusion confusion;
  for (const Json& row : rows) {
    DRAPE_CHECK(row.is_array(), "expected arrays in 'confusion', got {}", row.type_name());
    auto& counts = confusion.emplace_back();
    for (const Json& count : row)
      counts.push_back(Fields::convert<std::int64_t>(count, "confusion"));
  }
  return confusion;
}

RunResult parse_result(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  DRAPE_CHECK(!json.is_discarded(), "expected JSON, got something else");
  const Fields fields(json);
  RunResult run;
  run.system = fields.get<std::string>("system");
  run.protocol = fields.get<std::string>("protocol");
  run.seed = fields.get<std::uint64_t>("seed");
  run.device = fields.get<std::string>("device");
  run.precision = fields.get<std::string>("precision");
  run.commit = fields.get<std::string>("commit");
  run.epochs_run = fields.get<int>("epochs_run");
  run.best_epoch = fields.get<int>("best_epoch");
  run.best_validation_accuracy = fields.get<double>("best_validation_accuracy");
  if (!fields.at("test_accuracy").is_null())
    run.test_accuracy = fields.get<double>("test_accuracy");
  run.parameters = fields.get<std::int64_t>("parameters");
  run.multiply_adds_per_image = fields.get<std::int64_t>("multiply_adds_per_image");
  run.seconds_per_epoch = fields.get<double>("seconds_per_epoch");
  run.images_per_second = fields.get<double>("images_per_second");
  run.peak_memory_bytes = fields.get<std::int64_t>("peak_memory_bytes");
  run.stop_reason = fields.get<std::string>("stop_reason");
  run.synthetic = fields.get<bool>("synthetic");
  run.comparable = fields.get<bool>("comparable");
  if (fields.has("training_images"))
    run.training_images = fields.get<std::int64_t>("training_images");
  if (fields.has("options")) {
    DRAPE_CHECK(fields.at("options").is_object(), "expected an object as 'options', got {}",
                fields.at("options").type_name());
    for (const auto& [name, value] : fields.at("options").items())
      run.options[name] = Fields::convert<std::string>(value, name);
  }
  run.confusion = parse_confusion(fields.at("confusion"));
  return run;
}

std::string history_header() {
  std::string header = "epoch";
  for (const EpochColumn& column : kEpochColumns) header += fmt::format(",{}", column.name);
  return header;
}

std::string history_csv(const History& history) {
  std::string csv = history_header() + "\n";
  for (const EpochRecord& record : history) {
    csv += std::to_string(record.epoch);
    for (const EpochColumn& column : kEpochColumns)
      csv += fmt::format(",{}", record.*column.number);
    csv += '\n';
  }
  return csv;
}

// Cuts the text before the first separator off `rest` and returns it; all of `rest` if there is
// none.
std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view head = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return head;
}

template <class T>
T parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  DRAPE_CHECK(error == std::errc() && end == text.data() + text.size(),
              "expected a number, got '{}'", text.substr(0, kMaxQuoted));
  return value;
}

History parse_history(std::string_view rest) {
  // Without its end, a number cut short would look like another number.
  DRAPE_CHECK(rest.ends_with('\n'), "expected a line end at the end, got none");
  const std::string expected = history_header();
  const std::string_view header = cut(rest, '\n');
  DRAPE_CHECK(header == expected, "expected the header '{}', got '{}'", expected,
              header.substr(0, kMaxQuoted));
  History history;
  while (!rest.empty()) {
    std::string_view line = cut(rest, '\n');
    EpochRecord record{.epoch = parse_number<int>(cut(line, ','))};
    for (const EpochColumn& column : kEpochColumns)
      record.*column.number = parse_number<double>(cut(line, ','));
    DRAPE_CHECK(line.empty(), "expected {} columns, got more", kEpochColumns.size() + 1);
    history.push_back(record);
  }
  return history;
}

// Puts the file's name before whatever is wrong in it.
template <class Parse>
auto in_file(const std::filesystem::path& path, Parse&& parse) {
  const std::string content = read_file(path, kMaxFileBytes);
  try {
    return parse(content);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path.string(), error.what()));
  }
}

}  // namespace

void validate(const RunResult& run) {
  DRAPE_CHECK(!run.system.empty(), "run: expected the name of a system, got none");
  DRAPE_CHECK(run.protocol == "held_out" || run.protocol == "published",
              "run: expected protocol held_out or published, got '{}'", run.protocol);
  DRAPE_CHECK(!run.device.empty(), "run: expected the name of a device, got none");
  DRAPE_CHECK(!run.precision.empty(), "run: expected the name of a precision, got none");
  DRAPE_CHECK(run.epochs_run >= 1, "run: expected epochs_run >= 1, got {}", run.epochs_run);
  DRAPE_CHECK(run.best_epoch >= 1 && run.best_epoch <= run.epochs_run,
              "run: expected best_epoch in 1 ... {}, got {}", run.epochs_run, run.best_epoch);
  check_fraction(run.best_validation_accuracy, "best_validation_accuracy");
  if (run.test_accuracy) check_fraction(*run.test_accuracy, "test_accuracy");
  check_quantity(static_cast<double>(run.parameters), "parameters");
  check_quantity(static_cast<double>(run.multiply_adds_per_image), "multiply_adds_per_image");
  check_quantity(run.seconds_per_epoch, "seconds_per_epoch");
  check_quantity(run.images_per_second, "images_per_second");
  check_quantity(static_cast<double>(run.peak_memory_bytes), "peak_memory_bytes");
  check_quantity(static_cast<double>(run.training_images), "training_images");
  validate_history(run);
  validate_confusion(run.confusion);
}

Json result_json(const RunResult& run) {
  return {{"system", run.system},
          {"protocol", run.protocol},
          {"seed", run.seed},
          {"device", run.device},
          {"precision", run.precision},
          {"commit", run.commit},
          {"epochs_run", run.epochs_run},
          {"best_epoch", run.best_epoch},
          {"best_validation_accuracy", run.best_validation_accuracy},
          {"test_accuracy", run.test_accuracy ? Json(*run.test_accuracy) : Json()},
          {"parameters", run.parameters},
          {"multiply_adds_per_image", run.multiply_adds_per_image},
          {"seconds_per_epoch", run.seconds_per_epoch},
          {"images_per_second", run.images_per_second},
          {"peak_memory_bytes", run.peak_memory_bytes},
          {"stop_reason", run.stop_reason},
          {"synthetic", run.synthetic},
          {"comparable", run.comparable},
          {"training_images", run.training_images},
          {"options", run.options},
          {"confusion", run.confusion}};
}

void write_run(const RunResult& run, const std::filesystem::path& folder) {
  validate(run);
  make_folder(folder);
  write_file_atomically(folder / "history.csv", history_csv(run.history));
  write_file_atomically(folder / kResultFile, file_text(result_json(run)));
}

RunResult read_run(const std::filesystem::path& folder) {
  RunResult run = in_file(folder / kResultFile, parse_result);
  run.history = in_file(folder / "history.csv", parse_history);
  // It is written first: a run that was killed in between, or that goes on, is an epoch ahead.
  if (run.history.size() > static_cast<std::size_t>(run.epochs_run))
    run.history.resize(static_cast<std::size_t>(run.epochs_run));
  try {
    validate(run);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", folder.string(), error.what()));
  }
  return run;
}

}  // namespace drape
