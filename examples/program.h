// What the programs have in common: from the command line to the exit code.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "examples/command_line.h"
#include "examples/experiment.h"

namespace drape {

/// Calls body, which returns the exit code. An exception becomes one line on stderr and exit code
/// 1, 2 for a UsageError.
int guarded(const char* program, const std::function<int()>& body);

/// From here on a lack of memory that no exception can report, as in a destructor that takes some,
/// is one line on stderr and exit code 1 too.
void exit_when_out_of_memory();

/// The main function of a program that trains one network: unless options vary it, this one, with
/// MixUp's alpha.
int training_program(int argc, const char* const* argv, const std::string& description,
                     const NetworkOptions& network, double mixup_alpha = 0.0);

/// The folder of one run: out/system/seed7.
std::filesystem::path run_folder(const std::filesystem::path& out, const std::string& system,
                                 std::uint64_t seed);

/// The test images that these settings name, without a download; none where there are none.
std::optional<LabelledImages> find_test_images(const Settings& settings);

/// Runs experiments one after the other under the same settings.
class Runner {
 public:
  /// Makes sure that the results of these systems can be written, sets the threads, chooses the
  /// device, loads the data set, and then takes over Ctrl-C. Error: whatever of this does not work.
  Runner(const Settings& settings, const std::vector<std::string>& systems,
         Fallback fallback = Fallback::none);

  /// Trains one system with every seed, and calls `after_run` after every run that has a result.
  /// Does nothing once Ctrl-C was pressed.
  void run(
      const std::string& system, const NetworkOptions& network, double mixup_alpha,
      const std::function<void()>& after_run = [] {});

  /// What training would do, as text: of one batch, layer by layer, shapes, sizes and times.
  std::string rehearse(const std::string& system, const NetworkOptions& network,
                       double mixup_alpha) const;
  /// The losses of a learning rate that rises, as text.
  std::string find_rate(const std::string& system, const NetworkOptions& network,
                        double mixup_alpha) const;

  const std::vector<RunResult>& results() const { return results_; }
  /// The runs that diverged before they had a result, each in a line that says how.
  const std::vector<std::string>& absent() const { return absent_; }
  /// On the CPU.
  LabelledImages test_images() const;

  /// 0; 130 after Ctrl-C, 143 after SIGTERM; else 1 if a run diverged.
  int exit_code() const;

 private:
  Experiment experiment_of(const std::string& system, const NetworkOptions& network,
                           double mixup_alpha) const;
  void run_seed(const Experiment& experiment);
  void say(const Outcome& outcome, const Experiment& experiment) const;

  Settings settings_;
  StoredData data_;
  const std::atomic<bool>* interrupted_ = nullptr;
  std::vector<RunResult> results_;
  std::vector<std::string> absent_;
  enum class Health { sound, diverged } health_ = Health::sound;
};

}  // namespace drape
