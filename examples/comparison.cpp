#include "examples/comparison.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/file.h"
#include "core/print.h"
#include "examples/machine.h"
#include "examples/program.h"
#include "examples/report/report.h"

namespace drape {
namespace {

namespace fs = std::filesystem;

// The runs of these systems that lie in a folder, in the order of the study and of their seeds.
// Error: there are none, or one cannot be read.
std::vector<RunResult> read_runs(const fs::path& out, const std::vector<std::string>& systems) {
  std::vector<RunResult> runs;
  for (const std::string& system : systems) {
    std::vector<RunResult> seeds;
    for (const fs::path& entry : entries_of(out / system)) {
      std::error_code unreadable;  // reading it tells why
      if (fs::exists(entry / kResultFile, unreadable) || unreadable)
        seeds.push_back(read_run(entry));
    }
    std::ranges::sort(seeds, {}, &RunResult::seed);
    runs.insert(runs.end(), seeds.begin(), seeds.end());
  }
  DRAPE_CHECK(!runs.empty(), "report: expected runs in '{}' of {}, got none", out.string(),
              fmt::join(systems, ", "));
  return runs;
}

// Adds what there is to see of a run, unless another of its system is there.
void add_pictures(Pictures& pictures, const fs::path& out, const RunResult& run,
                  const LabelledImages* test) {
  if (std::ranges::find(pictures.runs, run.system, &RunPictures::system) != pictures.runs.end())
    return;
  pictures.runs.push_back(picture_run(run_folder(out, run.system, run.seed), run, test));
  const double alpha = find_system(run.system).mixup_alpha;
  if (test != nullptr && alpha > 0.0 && pictures.mixed.empty())
    pictures.mixed = picture_mixup(*test, alpha);
}

// Of runs that lie in a folder, with the test images if they are at hand.
Pictures picture_runs(const std::vector<RunResult>& runs, const Settings& settings) {
  Pictures pictures;
  std::optional<LabelledImages> test;
  std::string reason = "no data set was found";
  try {
    test = find_test_images(settings);
  } catch (const Error& error) {
    reason = error.what();
  }
  for (const RunResult& run : runs) {
    const bool other_data = run.synthetic != (settings.source == DataSource::synthetic);
    if (test && other_data) reason = "the data set at hand is not that of the runs";
    const bool shown = test && !other_data;
    if (!shown)
      pictures.missing =
          fmt::format("Pictures of test images are left out, of one run at least: {}.", reason);
    add_pictures(pictures, settings.out, run, shown ? &*test : nullptr);
  }
  return pictures;
}

// As a shell takes it; the program's name stands as it is.
std::string command_of(std::span<const char* const> words) {
  std::string command = words.front();
  for (const std::string word : words.subspan(1)) {
    constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./-_";
    const bool plain = !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    command += " " + (plain ? word : quoted + "'");
  }
  return command;
}

int compare(int argc, const char* const* argv) {
  const auto command = parse_compare_command(argc, argv);
  if (!command) return 0;
  const Settings& settings = command->settings;
  ReportOptions options{
      .command = command_of(std::span(argv, static_cast<std::size_t>(argc))),
      .machine = describe_machine(),
      .class_names = std::vector<std::string>(kClassNames.begin(), kClassNames.end())};
  const auto done = [&](int exit_code) {
    if (settings.verbosity == Verbosity::progress)
      print(stdout, "report: {}\n", (settings.out / "report.html").string());
    return exit_code;
  };
  if (command->task == CompareTask::report_only) {
    options.command.clear();  // it trains nothing
    const std::vector<RunResult> runs = read_runs(settings.out, command->systems);
    options.pictures = picture_runs(runs, settings);
    write_report(runs, settings.out, options);
    return done(0);
  }
  Runner runner(settings, command->systems, command->fallback);
  const LabelledImages test = runner.test_images();
  const auto report = [&] {
    options.absent = runner.absent();
    write_report(runner.results(), settings.out, options);
  };
  for (const std::string& name : command->systems) {
    const System& system = find_system(name);
    runner.run(name, network_of(system), system.mixup_alpha, [&] {
      add_pictures(options.pictures, settings.out, runner.results().back(), &test);
      report();
    });
    if (runner.absent().size() > options.absent.size() && !runner.results().empty()) report();
  }
  return runner.results().empty() ? runner.exit_code() : done(runner.exit_code());
}

}  // namespace

int compare_program(int argc, const char* const* argv) {
  return guarded(argv[0], [&] { return compare(argc, argv); });
}

}  // namespace drape
