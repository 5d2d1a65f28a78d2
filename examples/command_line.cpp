#include "examples/command_line.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "data/fashion_mnist.h"
#include "examples/config_file.h"
#include "examples/options.h"

namespace drape {
namespace {

constexpr int kMany = 1'000'000;
constexpr int kQuickEpochs = 2;
constexpr std::int64_t kQuickImages = 6'000;
constexpr double kCheckpointMinutes = 5.0;
constexpr double kAdamWDecay = 0.01;  // PyTorch's default

void add_regularization_options(CLI::App& app, TrainerOptions& training) {
  app.add_option("--label-smoothing", training.label_smoothing,
                 "share of each label that all classes get alike")
      ->check(real(0.0, 0.99));
  app.add_option("--shift", training.augmentation.shift,
                 "move training images by up to N pixels each way")
      ->check(count(0, kImageSide - 1));
  app.add_flag_callback(
      "--mirror", [&] { training.augmentation.mirroring = Mirroring::half; },
      "mirror every other training image, left and right");
  app.add_option("--erase", training.augmentation.erase,
                 "probability that a rectangle of a training image is erased")
      ->check(real(0.0, 1.0));
  app.add_option("--clip-norm", training.clip_norm,
                 "norm that gradients are shortened to; 0: they are not")
      ->check(real(0.0, 1e6));
  app.add_option("--average", training.average_decay,
                 "decay of a moving average of the weights, which is then what counts; 0: none")
      ->check(real(0.0, 0.999999));
  app.add_option("--pieces", training.pieces,
                 "split a batch into N pieces, for less memory; their gradients add up")
      ->check(count(1, kMany));
}

void add_training_options(CLI::App& app, Settings& settings) {
  TrainerOptions& training = settings.training;
  app.add_option("--epochs", settings.epochs, "passes over the training images, at most")
      ->check(count(1, kMany))
      ->default_str(fmt::format("{}, with MixUp {}", default_epochs(0.0), default_epochs(1.0)));
  app.add_option("--batch", training.batch, "images per step")->check(count(1, kMany));
  app.add_option("--lr", training.learning_rate, "learning rate that the schedule starts from")
      ->check(above_zero(1e6));
  add_choice(app, "--optimizer", training.optimizer,
             {OptimizerKind::adam, OptimizerKind::adamw, OptimizerKind::sgd},
             "sgd: with momentum 0.9");
  app.add_option("--weight-decay", training.weight_decay, "adamw: 0.01 unless given")
      ->check(real(0.0, 1e6));
  add_choice(
      app, "--schedule", training.schedule,
      {ScheduleKind::cosine, ScheduleKind::constant, ScheduleKind::step, ScheduleKind::one_cycle},
      "learning rate over time; step: a tenth every 10 epochs");
  app.add_option("--patience", training.early_stopping.patience,
                 "epochs without a better validation accuracy before stopping; 0: never stop early")
      ->check(count(0, kMany));
  app.add_option("--min-delta", training.early_stopping.min_delta,
                 "how much better counts as better, as a fraction")
      ->check(real(0.0, 1.0));
  add_regularization_options(app, training);
}

void add_machine_options(CLI::App& app, Settings& settings) {
  app.add_option("--threads", settings.threads, "0: as many as there are cores")
      ->check(count(0, 1024));
  add_choice<std::optional<Device>>(
      app, "--device", settings.device,
      {{"auto", std::nullopt}, {"cpu", Device::cpu}, {"cuda", Device::cuda}},
      "auto: cuda where it works, else cpu");
  add_choice(app, "--precision", settings.precision,
             {Precision::tf32, Precision::fp32, Precision::bf16},
             "on cuda, of dense products: factors rounded to 10 bits of fraction, or exact; bf16: "
             "of everything but weights in training, statistics and sums; the cpu has fp32 alone");
}

void add_data_options(CLI::App& app, Settings& settings) {
  app.add_option(
         "--data", settings.data,
         "folder with the four Fashion-MNIST files; default: $DRAPE_DATA, else a cache that "
         "is filled by download")
      ->type_name("DIR");
  app.add_flag_callback(
         "--synthetic", [&] { settings.source = DataSource::synthetic; },
         "drawn garments instead of Fashion-MNIST")
      ->excludes("--data");
  app.add_option("--limit", settings.limit, "train with the first N images only; 0: with all")
      ->check(count(0, kMany));
}

void add_checkpoint_options(CLI::App& app, CheckpointOptions& checkpoints) {
  app.add_flag_callback(
         "--resume", [&] { checkpoints.start = Start::resume; },
         "go on where the newest checkpoint in the folder of --out was written, to the same bits; "
         "the other options must be the same")
      ->configurable(false);
  app.add_option("--checkpoint-steps", checkpoints.every_steps,
                 "write a checkpoint every N steps; 0: not by steps")
      ->check(count(0, kMany));
  app.add_option_function<double>(
         "--checkpoint-minutes",
         [&](double minutes) { checkpoints.every_seconds = 60.0 * minutes; },
         "and every M minutes; 0: not by time; one is always written at the end")
      ->check(real(0.0, 1e6))
      ->default_str(fmt::format("{}", kCheckpointMinutes));
  checkpoints.every_seconds = 60.0 * kCheckpointMinutes;
  app.add_option("--keep", checkpoints.keep, "keep the newest N checkpoints")
      ->check(count(1, 1000));
}

void add_run_options(CLI::App& app, Settings& settings) {
  add_choice(app, "--protocol", settings.protocol, {Protocol::held_out, Protocol::published},
             "validate on a twelfth of the training images, or (selects on the test set) on the "
             "test images");
  app.add_option("--seed", settings.training.seed, "of the first run")
      ->check(within(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max() - kMany,
                     fmt::format("a whole number 0 ... {}",
                                 std::numeric_limits<std::uint64_t>::max() - kMany)));
  app.add_option("--seeds", settings.seeds, "runs, with consecutive seeds")->check(count(1, 1000));
  add_machine_options(app, settings);
  add_data_options(app, settings);
  app.add_option("--out", settings.out, "folder for results")->type_name("DIR");
  app.add_flag_callback(
      "--tensorboard", [&] { settings.events = Events::tensorboard; },
      "also write event files for TensorBoard, beside the results");
  add_checkpoint_options(app, settings.training.checkpoints);
  app.set_config("--config", "", "file with options, NAME=VALUE a line; the command line wins")
      ->type_name("FILE");
  app.config_formatter(std::make_shared<ConfigFile>(app));
  app.add_flag_callback(
      "--quiet", [&] { settings.verbosity = Verbosity::quiet; }, "say nothing unless it is wrong");
}

// Options whose default depends on others, and all of them as text: but for a weight decay that
// nobody gave, which goes with the optimizer. epochs: none if it differs from system to system.
void finish(CLI::App& app, Settings& settings, std::optional<int> epochs) {
  TrainerOptions& training = settings.training;
  if (training.optimizer == OptimizerKind::adamw && app.count("--weight-decay") == 0)
    training.weight_decay = kAdamWDecay;
  app.get_option("--weight-decay")->default_str("");
  app.get_option("--epochs")->default_str(epochs ? fmt::format("{}", *epochs) : "");
  app.get_option("--limit")->default_str(fmt::format("{}", settings.limit));
  settings.config = app.config_to_str(/*default_also=*/true);
}

}  // namespace

std::string_view name(Protocol protocol) {
  return protocol == Protocol::held_out ? "held_out" : "published";
}

std::string_view name(Precision precision) {
  constexpr std::array<std::string_view, 3> kNames{"fp32", "tf32", "bf16"};
  return kNames[static_cast<std::size_t>(precision)];
}

int default_epochs(double mixup_alpha) {
  return mixup_alpha == 0.0 ? 15 : 40;
}

std::optional<TrainingCommand> parse_training_command(int argc, const char* const* argv,
                                                      const std::string& description,
                                                      const NetworkOptions& network,
                                                      double mixup_alpha) {
  TrainingCommand command{.network = network};
  Settings& settings = command.settings;
  settings.training.mixup_alpha = mixup_alpha;
  CLI::App app(description);
  app.option_defaults()->always_capture_default();
  add_training_options(app, settings);
  app.add_option("--mixup", settings.training.mixup_alpha,
                 "mix images with lambda ~ Beta(ALPHA, ALPHA), 1 in the study; 0: off")
      ->type_name("ALPHA")
      ->check(real(0.0, 1e6));
  if (network.architecture == Architecture::dilated) {
    app.add_option("--dilation", command.network.dilation, "of the second convolution")
        ->check(count(1, kMostDilation));
  }
  if (network.architecture == Architecture::enhanced) {
    app.add_option("--dropout", command.network.dropout, "probability to drop")
        ->check(real(0.0, kMostDropout));
  }
  add_run_options(app, settings);
  CLI::Option* const dry = app.add_flag_callback(
      "--dry-run", [&] { command.task = TrainingTask::dry_run; },
      "load the data, time one batch layer by layer, and write nothing");
  dry->configurable(false);
  app.add_flag_callback(
         "--find-lr", [&] { command.task = TrainingTask::find_rate; },
         "train a little with learning rates that rise, see where the loss falls fastest, and "
         "write nothing")
      ->excludes(dry)
      ->configurable(false);
  if (!parse(app, argc, argv)) return std::nullopt;
  finish(app, settings, settings.epochs.value_or(default_epochs(settings.training.mixup_alpha)));
  return command;
}

std::optional<CompareCommand> parse_compare_command(int argc, const char* const* argv) {
  CompareCommand command;
  Settings& settings = command.settings;
  std::vector<std::string> all;
  for (const System& system : systems()) all.emplace_back(system.name);
  CLI::App app("Trains the systems of the study and reports them beside the published numbers.");
  app.option_defaults()->always_capture_default();
  app.add_option("--systems", command.systems, "some of " + CLI::detail::join(all, ", "))
      ->delimiter(',')
      ->type_name("NAME,...")
      ->default_str("all");
  app.add_flag_callback(
      "--quick", [&] { command.fallback = Fallback::synthetic; },
      fmt::format(
          "a look in minutes: --epochs {} --limit {} unless given, and drawn garments where "
          "there is neither data set nor network",
          kQuickEpochs, kQuickImages));
  app.add_flag_callback(
      "--report-only", [&] { command.task = CompareTask::report_only; },
      "train nothing: report the runs found in the folder of --out");
  add_training_options(app, settings);
  add_run_options(app, settings);
  if (!parse(app, argc, argv)) return std::nullopt;
  if (command.fallback == Fallback::synthetic) {
    if (app.count("--epochs") == 0) settings.epochs = kQuickEpochs;
    if (app.count("--limit") == 0) settings.limit = kQuickImages;
  }
  finish(app, settings, settings.epochs);
  if (command.systems == std::vector<std::string>{"all"}) command.systems.clear();
  for (const std::string& system : command.systems) {
    if (studied(system) == nullptr) {
      throw UsageError(fmt::format("--systems: expected some of {}, got '{}'",
                                   CLI::detail::join(all, ", "), system));
    }
  }
  std::erase_if(all, [&](const std::string& system) {
    return !command.systems.empty() &&
           std::ranges::find(command.systems, system) == command.systems.end();
  });
  command.systems = all;
  return command;
}

}  // namespace drape
