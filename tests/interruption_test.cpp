// Programs that are interrupted or killed, and go on.
#include "examples/interruption.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include "core/checkpoint.h"
#include "core/file.h"
#include "examples/run_result.h"
#include "optim/training_state.h"
#include "tests/catch.h"
#include "tests/programs.h"

namespace drape::tests {

namespace fs = std::filesystem;

namespace {

// Waits until it holds, for a minute at most; whether it does.
bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 12'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return condition();
}

}  // namespace

TEST_CASE("Ctrl-C and SIGTERM save where training stands, the best weights and the result") {
  const TemporaryFolder folder;
  for (const auto& [signal, exit_code] :
       {std::pair(SIGINT, 130), std::pair(SIGTERM, 143), std::pair(SIGHUP, 129)}) {
    const fs::path out = folder / std::to_string(signal), run_folder = out / "standard/seed0";
    Process program({program_folder() / "standard", "--synthetic", "--limit", "240", "--epochs",
                     "100000", "--patience", "0", "--quiet", "--out", out.string()});
    REQUIRE(comes_true([&] { return fs::exists(run_folder / "result.json"); }));
    program.send(signal);
    CHECK(program.wait() == exit_code);
    const RunResult run = read_run(run_folder);
    CHECK(run.stop_reason == "interrupted");
    CHECK_FALSE(run.test_accuracy);
    const Weights weights = load_weights(run_folder / "weights.safetensors");
    CHECK(weights.metadata.at("epoch") == std::to_string(run.best_epoch));
    for (const auto& entry : fs::directory_iterator(run_folder))
      CHECK(entry.path().string().find(".tmp") == std::string::npos);
    REQUIRE(std::distance(fs::directory_iterator(run_folder / "checkpoints"), {}) == 1);
    const fs::path state = fs::directory_iterator(run_folder / "checkpoints")->path();
    CHECK(load_training_state(state).history.size() == run.history.size());
  }
}

TEST_CASE("a new run that ends before its first epoch leaves the results of an older one whole") {
  const TemporaryFolder folder;
  const std::string out = " --out " + quoted(folder.path());
  REQUIRE(run("standard --quiet" + kSmall + out).exit_code == 0);
  const fs::path older = folder / "standard/seed0";
  const std::string config = content(older / "config.toml"),
                    result = content(older / "result.json");
  Process program({program_folder() / "standard", "--synthetic", "--limit", "6000", "--batch", "4",
                   "--checkpoint-steps", "1", "--quiet", "--out", folder.path().string()});
  const auto trains = [&] {  // beyond the older one's two steps
    for (const fs::path& state : entries_of(older / "checkpoints"))
      if (state.filename() > "state-000000000002.safetensors") return true;
    return false;
  };
  REQUIRE(comes_true(trains));
  const ProgramEnd beside = run("standard --quiet" + kSmall + out);
  CHECK(beside.exit_code == 1);
  CHECK_THAT(beside.err, ContainsSubstring("expected a folder that no other process works in"));
  program.send(SIGTERM);
  CHECK(program.wait() == 143);
  CHECK(content(older / "config.toml") == config);
  CHECK(content(older / "result.json") == result);
}

TEST_CASE("a program that goes on ends as if it had not been interrupted, also once it is over") {
  const TemporaryFolder folder;
  const std::string options =
      " --synthetic --limit 240 --epochs 5 --batch 16 --checkpoint-steps 4 --quiet --out ";
  CHECK(run("standard" + options + quoted(folder / "whole")).exit_code == 0);
  const RunResult expected = read_run(folder / "whole/standard/seed0");
  const fs::path in_pieces = folder / "in_pieces/standard/seed0";
  Process program({program_folder() / "standard", "--synthetic", "--limit", "240", "--epochs", "5",
                   "--batch", "16", "--checkpoint-steps", "4", "--quiet", "--out",
                   (folder / "in_pieces").string()});
  REQUIRE(comes_true([&] {
    return std::ranges::any_of(entries_of(in_pieces / "checkpoints"), [](const fs::path& file) {
      return file.extension() == ".safetensors";
    });
  }));
  program.send(SIGKILL);
  CHECK(program.wait() == -SIGKILL);  // in the middle of it
  for (int i = 0; i < 2; ++i) {       // the second finds a run that is over
    CHECK(run("standard --resume" + options + quoted(folder / "in_pieces")).exit_code == 0);
    const RunResult found = read_run(in_pieces);
    CHECK(found.test_accuracy == expected.test_accuracy);
    CHECK(found.best_epoch == expected.best_epoch);
    CHECK(content(in_pieces / "weights.safetensors") ==
          content(folder / "whole/standard/seed0/weights.safetensors"));
  }
  const std::string config = content(in_pieces / "config.toml");
  const ProgramEnd other =
      run("standard --resume --lr 0.5" + options + quoted(folder / "in_pieces"));
  CHECK(other.exit_code == 1);
  CHECK(lines(other.err) == 1);
  CHECK_THAT(other.err, ContainsSubstring("expected a run with lr 0.5, got one with lr 0.001"));
  CHECK(content(in_pieces / "config.toml") == config);
}

TEST_CASE("the first Ctrl-C raises a flag, the second is the system's again") {
  struct sigaction before = {}, before_term = {}, after = {};
  ::sigaction(SIGINT, nullptr, &before);
  ::sigaction(SIGTERM, nullptr, &before_term);
  const std::atomic<bool>& interrupted = catch_interrupt();
  ::raise(SIGINT);
  CHECK(interrupted);
  CHECK(interrupted_exit() == 130);
  ::sigaction(SIGTERM, &before_term, nullptr);
  ::sigaction(SIGINT, &before, &after);
  CHECK(after.sa_handler == SIG_DFL);
}

}  // namespace drape::tests
