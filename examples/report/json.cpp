#include "examples/report/json.h"

#include <nlohmann/json.hpp>

#include "examples/fields.h"
#include "examples/report/text.h"

namespace drape {
namespace {

using Json = nlohmann::ordered_json;

Json statistic_json(const Statistic& statistic) {
  if (statistic.count == 0) return nullptr;
  return {{"count", statistic.count},
          {"mean", statistic.mean},
          {"deviation", statistic.deviation},
          {"min", statistic.low},
          {"max", statistic.high}};
}

Json system_json(const Section& section, const SystemSummary& summary) {
  const System& system = *summary.system;
  Json json = {{"system", system.name},
               {"title", system.title},
               {"seeds", summary.seeds},
               {"best_validation_accuracy", statistic_json(summary.best_accuracy)},
               {"best_epoch", statistic_json(summary.best_epoch)}};
  if (section.shows_published()) {
    json["published_accuracy"] = system.published_accuracy;
    json["published_epoch"] = system.published_epoch;
    json["difference"] = summary.best_accuracy.mean - system.published_accuracy;
  }
  if (section.shows_test()) json["test_accuracy"] = statistic_json(summary.test_accuracy);
  json["epochs_run"] = statistic_json(summary.epochs_run);
  json["seconds_per_epoch"] = statistic_json(summary.seconds_per_epoch);
  json["images_per_second"] = statistic_json(summary.images_per_second);
  json["peak_memory_bytes"] = statistic_json(summary.peak_memory_bytes);
  json["parameters"] = summary.parameters;
  json["multiply_adds_per_image"] = summary.multiply_adds_per_image;
  json["validation_accuracy_by_epoch"] = Json::array();
  for (const Statistic& accuracy : summary.curve)
    json["validation_accuracy_by_epoch"].push_back(statistic_json(accuracy));
  json["confusion"] = summary.confusion;
  return json;
}

Json run_json(const RunResult& run) {
  Json json = result_json(run);
  json["history"] = Json::array();
  for (const EpochRecord& record : run.history) {
    Json epoch = {{"epoch", record.epoch}};
    for (const EpochColumn& column : kEpochColumns)
      epoch[std::string(column.name)] = record.*column.number;
    json["history"].push_back(epoch);
  }
  return json;
}

}  // namespace

std::string json_report(std::span<const Section> sections, std::span<const RunResult> runs,
                        const ReportOptions& options) {
  Json json = {{"title", report_title(sections)},
               {"command", options.command},
               {"machine", options.machine},
               {"commits", commits(sections)},
               {"class_names", options.class_names},
               {"absent", options.absent},
               {"sections", Json::array()},
               {"runs", Json::array()}};
  for (const Section& section : sections) {
    Json systems = Json::array();
    for (const SystemSummary& summary : section.systems)
      systems.push_back(system_json(section, summary));
    json["sections"].push_back({{"protocol", section.protocol},
                                {"device", section.device},
                                {"precision", section.precision},
                                {"synthetic", section.synthetic},
                                {"systems", systems}});
  }
  for (const RunResult& run : runs) json["runs"].push_back(run_json(run));
  return file_text(json, /*indent=*/1);
}

}  // namespace drape
