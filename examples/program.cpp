#include "examples/program.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include "core/file.h"
#include "core/print.h"
#include "data/synthetic.h"
#include "examples/interruption.h"
#include "examples/rehearsal.h"
#include "examples/report/text.h"
#include "kernels/parallel.h"

namespace drape {
namespace {

constexpr std::uint64_t kSyntheticSeed = 0;
constexpr std::int64_t kSyntheticTrain = 60'000, kTrainPerTest = 6;  // as in Fashion-MNIST

// Finds out before training what would otherwise end it: a folder that cannot be written.
void check_writable(const std::filesystem::path& folder) {
  make_folder(folder);
  const std::filesystem::path probe = folder / ".probe";
  write_file_atomically(probe, "");
  std::error_code ignored;  // an empty file stays
  std::filesystem::remove(probe, ignored);
}

// Whether `out` is a terminal on which a line can be redrawn.
bool draws_on(std::FILE* out) {
  const char* const terminal = std::getenv("TERM");
  return isatty(fileno(out)) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

struct DeviceChoice {
  Device device;
  std::string no_cuda;  // why it is not cuda, where that was left open
};

DeviceChoice choose_device(const Settings& settings) {
  const auto on_cpu = [&](const std::string& no_cuda) -> DeviceChoice {
    DRAPE_CHECK(settings.precision != Precision::bf16,
                "precision: expected tf32 or fp32 on the CPU, got bf16{}{}",
                no_cuda.empty() ? "" : "; ", no_cuda);
    return {Device::cpu, no_cuda};
  };
  if (settings.device == Device::cpu) return on_cpu("");
  try {
    Tensor::zeros(Shape{1}, DType::f32, Device::cuda);
  } catch (const Error& error) {
    if (settings.device) throw;
    if constexpr (kCudaBuilt) {
      const std::string problem = cuda_problem();
      return on_cpu(problem.empty() ? error.what() : problem);
    }
    return on_cpu("");
  }
  if constexpr (kCudaBuilt)
    set_cuda_math(settings.precision == Precision::fp32 ? Math::f32 : Math::tf32);
  return {Device::cuda, ""};
}

DataSet draw_garments(std::int64_t limit) {
  const std::int64_t train = limit == 0 ? kSyntheticTrain : std::min(limit, kSyntheticTrain);
  return synthetic_garments(kSyntheticSeed, train,
                            std::max<std::int64_t>(train / kTrainPerTest, 1));
}

DataSet load_data(const Settings& settings, Fallback fallback) {
  if (settings.source == DataSource::synthetic) return draw_garments(settings.limit);
  if (const auto folder = find_fashion_mnist(settings.data)) return load_fashion_mnist(*folder);
  try {
    return load_fashion_mnist(find_or_download_fashion_mnist(settings.data));
  } catch (const Error&) {
    if (fallback == Fallback::none) throw;
    print(stderr, "no data set and no network: training with drawn garments instead\n");
    return draw_garments(settings.limit);
  }
}

std::string describe(const Experiment& experiment, const StoredData& data) {
  return fmt::format("{}, seed {}: {} training images of {}, {} protocol, {}, {}, threads: {}",
                     experiment.system, experiment.training.seed,
                     grouped_digits(data.train_labels.size()),
                     data.official    ? "Fashion-MNIST"
                     : data.synthetic ? "drawn garments"
                                      : "another data set",
                     name(experiment.protocol), name(data.train_labels.device()),
                     name(experiment.precision), kernels::thread_count());
}

std::string describe(const RunResult& run, const StoredData& data) {
  std::string text =
      fmt::format("{}, seed {}: best validation accuracy {} % at epoch {}", run.system, run.seed,
                  percent(run.best_validation_accuracy), run.best_epoch);
  const System* system = studied(run.system);
  if (system != nullptr && data.official && data.whole) {
    text += fmt::format(" (published: {} % at epoch {})", percent(system->published_accuracy),
                        system->published_epoch);
  }
  if (run.test_accuracy) text += fmt::format(", test accuracy {} %", percent(*run.test_accuracy));
  return text + fmt::format(", {} after {} epoch{}", run.stop_reason, run.epochs_run,
                            run.epochs_run == 1 ? "" : "s");
}

}  // namespace

void exit_when_out_of_memory() {
  std::set_terminate([] {
    try {
      if (const std::exception_ptr cause = std::current_exception()) std::rethrow_exception(cause);
    } catch (const std::bad_alloc&) {
      constexpr std::string_view kLine = "out of memory\n";
      [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kLine.data(), kLine.size());
      ::_exit(1);
    } catch (...) {
    }
    std::abort();
  });
}

int guarded(const char* program, const std::function<int()>& body) {
  exit_when_out_of_memory();
  const std::string who = std::filesystem::path(program).filename().string();
  try {
    return body();
  } catch (const UsageError& error) {
    print(stderr, "{}: {}\n", who, printable(error.what()));
    return 2;
  } catch (const std::bad_alloc&) {
    print(stderr, "{}: out of memory\n", who);
    return 1;
  } catch (const std::exception& error) {
    print(stderr, "{}: {}\n", who, printable(error.what()));
    return 1;
  }
}

int training_program(int argc, const char* const* argv, const std::string& description,
                     const NetworkOptions& network, double mixup_alpha) {
  return guarded(argv[0], [&] {
    const auto command = parse_training_command(argc, argv, description, network, mixup_alpha);
    if (!command) return 0;
    const double alpha = command->settings.training.mixup_alpha;
    const std::string system = system_name(command->network, alpha);
    const bool trains = command->task == TrainingTask::train;
    Runner runner(command->settings, trains ? std::vector{system} : std::vector<std::string>{});
    switch (command->task) {
      case TrainingTask::train:
        runner.run(system, command->network, alpha);
        break;
      case TrainingTask::dry_run:
        write_result(runner.rehearse(system, command->network, alpha));
        break;
      case TrainingTask::find_rate:
        write_result(runner.find_rate(system, command->network, alpha));
        break;
    }
    return runner.exit_code();
  });
}

std::filesystem::path run_folder(const std::filesystem::path& out, const std::string& system,
                                 std::uint64_t seed) {
  return out / system / fmt::format("seed{}", seed);
}

std::optional<LabelledImages> find_test_images(const Settings& settings) {
  if (settings.source == DataSource::synthetic) return draw_garments(settings.limit).test;
  const auto folder = find_fashion_mnist(settings.data, DataPart::test);
  if (!folder) return std::nullopt;
  return load_fashion_mnist(*folder, DataPart::test);
}

Runner::Runner(const Settings& settings, const std::vector<std::string>& systems, Fallback fallback)
    : settings_(settings) {
  for (const std::string& system : systems) {
    for (int i = 0; i < settings.seeds; ++i)
      check_writable(run_folder(settings.out, system, settings.training.seed + i));
  }
  if (settings.threads > 0) kernels::set_thread_count(settings.threads);
  const DeviceChoice choice = choose_device(settings);
  if (choice.device == Device::cpu) settings_.precision = Precision::fp32;
  data_ = store(load_data(settings, fallback), settings.limit, choice.device);
  if (!choice.no_cuda.empty() && settings.verbosity == Verbosity::progress)
    print(stderr, "training on the CPU: {}\n", choice.no_cuda);
  interrupted_ = &catch_interrupt();  // until here Ctrl-C ends the program at once
}

void Runner::run(const std::string& system, const NetworkOptions& network, double mixup_alpha,
                 const std::function<void()>& after_run) {
  for (int i = 0; i < settings_.seeds && !*interrupted_; ++i) {
    Experiment experiment = experiment_of(system, network, mixup_alpha);
    experiment.training.seed += static_cast<std::uint64_t>(i);
    experiment.folder = run_folder(settings_.out, system, experiment.training.seed);
    experiment.training.checkpoints.folder = experiment.folder / "checkpoints";
    experiment.config = settings_.config;
    const FolderLock lock(experiment.folder);
    const std::size_t before = results_.size();
    run_seed(experiment);
    if (results_.size() > before) after_run();
  }
}

Experiment Runner::experiment_of(const std::string& system, const NetworkOptions& network,
                                 double mixup_alpha) const {
  Experiment experiment{
      system,          network, settings_.training, settings_.protocol, {}, settings_.precision,
      settings_.events};
  experiment.training.mixup_alpha = mixup_alpha;
  experiment.training.epochs = settings_.epochs.value_or(default_epochs(mixup_alpha));
  return experiment;
}

std::string Runner::rehearse(const std::string& system, const NetworkOptions& network,
                             double mixup_alpha) const {
  const Experiment experiment = experiment_of(system, network, mixup_alpha);
  return fmt::format("{}\n{}", describe(experiment, data_), drape::rehearse(experiment, data_));
}

std::string Runner::find_rate(const std::string& system, const NetworkOptions& network,
                              double mixup_alpha) const {
  return drape::find_rate(experiment_of(system, network, mixup_alpha), data_, *interrupted_);
}

void Runner::run_seed(const Experiment& experiment) {
  const bool quiet = settings_.verbosity == Verbosity::quiet;
  ProgressReport report(stderr, quiet              ? ProgressReport::Style::warnings
                                : draws_on(stderr) ? ProgressReport::Style::bar
                                                   : ProgressReport::Style::lines);
  if (!quiet) print(stderr, "{}\n", describe(experiment, data_));
  const Outcome outcome = run_experiment(experiment, data_, report, *interrupted_);
  say(outcome, experiment);
  if (outcome.run) results_.push_back(*outcome.run);
  if (outcome.stop_reason != StopReason::diverged) return;
  health_ = Health::diverged;
  if (!outcome.run)
    absent_.push_back(fmt::format("{}, seed {}: {}", experiment.system, experiment.training.seed,
                                  outcome.divergence));
}

void Runner::say(const Outcome& outcome, const Experiment& experiment) const {
  if (outcome.run && settings_.verbosity == Verbosity::progress) {
    print(stdout, "{}\n", describe(*outcome.run, data_));
    std::fflush(stdout);
  }
  const std::string where = outcome.run
                                ? fmt::format("the best weights and the results so far are in '{}'",
                                              experiment.folder.string())
                                : "no epoch was finished, there are no new results yet";
  if (outcome.stop_reason == StopReason::interrupted)
    print(stderr, "{}: interrupted; {}; {}\n", experiment.system, where,
          outcome.resumable ? "--resume goes on" : "no checkpoint was written to go on from");
  if (outcome.stop_reason == StopReason::diverged)
    print(stderr, "{}: {}; {}\n", experiment.system, outcome.divergence, where);
}

LabelledImages Runner::test_images() const {
  const Shape& shape = data_.test_images.shape();
  return {shape[1], shape[2], data_.test_images.to_vector<std::uint8_t>(),
          data_.test_labels.to_vector<std::uint8_t>()};
}

int Runner::exit_code() const {
  if (*interrupted_) return interrupted_exit();
  return health_ == Health::sound ? 0 : 1;
}

}  // namespace drape
