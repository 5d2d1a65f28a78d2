// The outcome of one training run: plain data, and its two files history.csv and result.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "optim/history.h"

namespace drape {

/// The files of a run's folder that say how it ended, and that hold its best weights.
inline constexpr const char* kResultFile = "result.json";
inline constexpr const char* kWeightsFile = "weights.safetensors";

/// How often each class was taken for each: counts by [true class][predicted class].
using Confusion = std::vector<std::vector<std::int64_t>>;

/// One training run of one system. Accuracies are fractions in [0, 1].
struct RunResult {
  std::string system;    // a name of models/systems.h, or of a variation
  std::string protocol;  // "held_out" or "published"
  std::uint64_t seed = 0;
  std::string device;     // "cpu", "cuda"
  std::string precision;  // "fp32", "tf32", "bf16"
  std::string commit;     // of drape's source; "" if not known
  int epochs_run = 0;
  int best_epoch = 0;  // counted from 1
  double best_validation_accuracy = 0.0;
  std::optional<double> test_accuracy;       // held_out only: one look, with the best weights
  std::int64_t parameters = 0;               // trainable numbers
  std::int64_t multiply_adds_per_image = 0;  // of one forward pass
  double seconds_per_epoch = 0.0;            // mean over epochs
  double images_per_second = 0.0;            // in training
  std::int64_t peak_memory_bytes = 0;
  std::string stop_reason;  // one line for people
  bool synthetic = false;   // trained on generated images, not on Fashion-MNIST
  // Trained on all of the official Fashion-MNIST: published numbers may stand beside.
  bool comparable = true;
  std::int64_t training_images = 0;  // 0: not known
  // What the trainer was told but for the seed, by the names of its options; none: not known.
  std::map<std::string, std::string> options;
  History history;
  Confusion confusion;  // on the evaluated set; empty if not counted

  bool operator==(const RunResult&) const = default;
};

/// Throws an Error naming the field unless the run is one that training can produce: a system, a
/// known protocol, fractions in [0, 1], finite numbers >= 0, epochs 1 ... epochs_run in the history
/// with the best one among them, and a square confusion matrix of counts >= 0.
void validate(const RunResult& run);

/// The fields of result.json, in this order; the history is not among them.
nlohmann::ordered_json result_json(const RunResult& run);

/// Writes <folder>/history.csv and <folder>/result.json, each atomically; creates the folder.
void write_run(const RunResult& run, const std::filesystem::path& folder);

/// Reads both files back and validates them. Error naming the file for anything missing or wrong in
/// it.
RunResult read_run(const std::filesystem::path& folder);

}  // namespace drape
