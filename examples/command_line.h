// What the programs can be told on the command line, checked before anything is done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/tensor.h"
#include "models/build.h"
#include "optim/trainer.h"

namespace drape {

/// A command line that makes no sense; what() is one line.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// held_out: a twelfth of the training images validates, and the test images are looked at once, at
/// the end. published: all training images train, and the test images validate; it selects on the
/// test set.
enum class Protocol { held_out, published };
std::string_view name(Protocol protocol);

/// What training computes in. fp32, tf32: f32, dense products on CUDA exactly or with factors
/// rounded to TF32. bf16, on CUDA: all but what a sum of small steps needs in f32.
enum class Precision { fp32, tf32, bf16 };
std::string_view name(Precision precision);

enum class DataSource { files, synthetic };
enum class Verbosity { progress, quiet };
/// Whether TensorBoard's event files are written.
enum class Events { none, tensorboard };

/// What all programs share.
struct Settings {
  TrainerOptions training;    // its seed is that of the first run
  std::optional<int> epochs;  // none: default_epochs
  Protocol protocol = Protocol::held_out;
  int seeds = 1;
  int threads = 0;                        // 0: as many as there are cores
  std::optional<Device> device;           // none: cuda where it works, else cpu
  Precision precision = Precision::tf32;  // the CPU has fp32 alone
  DataSource source = DataSource::files;
  std::optional<std::filesystem::path> data;  // none: where find_fashion_mnist looks
  std::int64_t limit = 0;                     // images to train with; 0: all
  std::filesystem::path out = "out";
  Verbosity verbosity = Verbosity::progress;
  Events events = Events::none;
  /// All options as they were understood, in the form that --config reads; without a weight decay
  /// that nobody gave.
  std::string config;
};

/// How long a system trains unless told: mixed images take about twice as long to learn from.
int default_epochs(double mixup_alpha);

/// What a program that trains one network is told. dry_run: to load the data and to time one batch,
/// layer by layer. find_rate: to try learning rates. Neither writes anything.
enum class TrainingTask { train, dry_run, find_rate };
struct TrainingCommand {
  Settings settings{};
  NetworkOptions network;
  TrainingTask task = TrainingTask::train;
};

/// What compare is told.
enum class CompareTask { train, report_only };
enum class Fallback { none, synthetic };
struct CompareCommand {
  Settings settings{};
  std::vector<std::string> systems;    // in the order of the study
  Fallback fallback = Fallback::none;  // when there is neither data set nor network
  CompareTask task = CompareTask::train;
};

/// Parses the arguments of a program. None if they asked for help, which is then on stdout. Throws
/// a UsageError naming the option and what it expects. What is trained unless options vary it:
/// `network`, with MixUp's `mixup_alpha`.
std::optional<TrainingCommand> parse_training_command(int argc, const char* const* argv,
                                                      const std::string& description,
                                                      const NetworkOptions& network,
                                                      double mixup_alpha = 0.0);
std::optional<CompareCommand> parse_compare_command(int argc, const char* const* argv);

}  // namespace drape
