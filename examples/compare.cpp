// Trains the systems of the study one after the other and reports them beside the published
// numbers.
//   build/release/bin/compare            all eight; the report is out/report.html
//   build/release/bin/compare --quick    a look at all of it in minutes
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/print.h"
#include "examples/machine.h"
#include "examples/program.h"
#include "examples/report/report.h"

namespace drape {
namespace {

namespace fs = std::filesystem;

// The runs that lie in a folder, in the order of the study and of their seeds. Error: there are
// none, or one cannot be read.
std::vector<RunResult> read_runs(const fs::path& out) {
  std::vector<RunResult> runs;
  for (const System& system : systems()) {
    std::vector<RunResult> seeds;
    std::error_code no_such_folder;
    for (const auto& entry : fs::directory_iterator(out / system.name, no_such_folder))
      if (fs::exists(entry.path() / "result.json")) seeds.push_back(read_run(entry.path()));
    std::ranges::sort(seeds, {}, &RunResult::seed);
    runs.insert(runs.end(), seeds.begin(), seeds.end());
  }
  DRAPE_CHECK(!runs.empty(), "report: expected runs in '{}', got none", out.string());
  return runs;
}

int compare(int argc, char** argv) {
  const auto command = parse_compare_command(argc, argv);
  if (!command) return 0;
  const Settings& settings = command->settings;
  const ReportOptions options{
      .command = fmt::format("{}", fmt::join(argv, argv + argc, " ")),
      .machine = describe_machine(),
      .class_names = std::vector<std::string>(kClassNames.begin(), kClassNames.end())};
  const auto done = [&](int exit_code) {
    if (settings.verbosity == Verbosity::progress)
      print(stdout, "report: {}\n", (settings.out / "report.html").string());
    return exit_code;
  };
  if (command->task == CompareTask::report_only) {
    write_report(read_runs(settings.out), settings.out, options);
    return done(0);
  }
  Runner runner(settings, command->systems, command->fallback);
  for (const std::string& name : command->systems) {
    const System& system = find_system(name);
    runner.run(name, network_of(system), system.mixup_alpha,
               [&] { write_report(runner.results(), settings.out, options); });
  }
  return runner.results().empty() ? runner.exit_code() : done(runner.exit_code());
}

}  // namespace
}  // namespace drape

int main(int argc, char** argv) {
  return drape::guarded(argv[0], [&] { return drape::compare(argc, argv); });
}
