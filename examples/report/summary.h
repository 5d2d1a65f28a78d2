// Runs of the same system put together over their seeds, and systems into sections that may share a
// table.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "examples/run_result.h"
#include "models/systems.h"

namespace drape {

/// Mean, sample standard deviation sqrt(sum (x - mean)^2 / (count - 1)), and extremes. The
/// deviation of fewer than two values is 0; of no values all is 0.
struct Statistic {
  int count = 0;
  double mean = 0.0;
  double deviation = 0.0;
  double low = 0.0;
  double high = 0.0;
};
Statistic statistic(std::span<const double> values);

/// One system over its seeds.
struct SystemSummary {
  const System* system = nullptr;
  std::vector<std::uint64_t> seeds;
  std::vector<std::string> stop_reasons;  // one per seed
  std::set<std::string> commits;          // that are known
  // What the trainer was told, and the number of training images, by name; none: not known
  std::map<std::string, std::string> training;
  Statistic best_accuracy;  // on the validation set
  Statistic best_epoch;
  Statistic test_accuracy;  // count 0: not looked at
  Statistic epochs_run;
  Statistic seconds_per_epoch;
  Statistic images_per_second;
  Statistic peak_memory_bytes;
  std::int64_t parameters = 0;
  std::int64_t multiply_adds_per_image = 0;
  // [epoch - 1] validation accuracy, over the seeds that reached the epoch
  std::vector<Statistic> curve;
  std::vector<double> elapsed;  // [epoch - 1] seconds of training so far: their epochs' means
  Confusion confusion;          // added up over the seeds that have one
};

/// Runs whose numbers are comparable: one protocol, one device and precision, one kind of data.
struct Section {
  std::string protocol;
  std::string device, precision;
  bool synthetic = false;
  bool comparable = true;
  std::vector<SystemSummary> systems;  // in the study's order

  /// Whether the published numbers may stand beside these: only where all of Fashion-MNIST was
  /// used.
  bool shows_published() const { return comparable && !synthetic; }
  bool shows_test() const { return protocol == "held_out"; }

  /// The system of that name; nullptr if the section has no run of it.
  const SystemSummary* find(std::string_view name) const;

  /// The system to compare it with: its base without MixUp, else the standard CNN; nullptr if there
  /// is none.
  const SystemSummary* reference(const SystemSummary& summary) const;

  /// What its runs have in common: "Protocol held_out, device cpu in fp32, SYNTHETIC data".
  std::string title() const;
};

/// The commits that the sections' runs were trained with, those that are known.
std::set<std::string> commits(std::span<const Section> sections);

/// Validates the runs and sorts them into sections: held_out first, real data first, then by
/// device and precision. Error for no runs, the same run twice, or seeds of one system that differ
/// in size, classes, or how they were trained.
std::vector<Section> summarize(std::span<const RunResult> runs);

}  // namespace drape
