// The programs as a user meets them: exit codes, one-line messages, files.
#include "examples/command_line.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "core/checkpoint.h"
#include "examples/interruption.h"
#include "examples/run_result.h"
#include "optim/training_state.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/paths.h"

namespace {

namespace fs = std::filesystem;
using drape::tests::content;
using drape::tests::program_folder;
using drape::tests::ScopedVariable;
using drape::tests::TemporaryFolder;

struct Ended {
  int exit_code;
  std::string out, err;
};

// The path as one word of a shell.
std::string quoted(const fs::path& path) {
  std::string word = "'";
  for (const char c : path.string()) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

// What DRAPE_EMULATED_DEVICE tells programs: training in the emulator would take hours.
const char* emulated_device = "none";

// Runs a program with arguments as a shell splits them.
Ended run(const std::string& command, const fs::path& programs = program_folder()) {
  const TemporaryFolder folder;
  const ScopedVariable device("DRAPE_EMULATED_DEVICE", emulated_device);
  const int status = std::system((quoted(programs) + "/" + command + " > " +
                                  quoted(folder / "out") + " 2> " + quoted(folder / "err"))
                                     .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(folder / "out"),
          content(folder / "err")};
}

std::ptrdiff_t lines(const std::string& text) {
  return std::ranges::count(text, '\n');
}

// A process that is killed, if it still runs, at the end.
class Process {
 public:
  explicit Process(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const ScopedVariable device("DRAPE_EMULATED_DEVICE", emulated_device);
    id_ = ::fork();
    if (id_ == 0) {
      ::close(STDERR_FILENO);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }

  void send(int signal) const { ::kill(id_, signal); }

  // The exit code once it has ended.
  int wait() {
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t id_ = 0;
};

const std::string kSmall = " --synthetic --limit 120 --epochs 1 ";

}  // namespace

TEST_CASE("bad usage ends with exit code 2 and one line that names the option") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"standard --no-such-option", "--no-such-option"},
      {"standard --batch 0", "--batch: expected a whole number 1 ... 1000000, got '0'"},
      {"standard --epochs 0", "--epochs: expected"},
      {"standard --epochs 1.5", "got '1.5'"},
      {"standard --epochs", "--epochs"},
      {"standard --lr -1", "--lr: expected a number above 0, up to 1000000, got '-1'"},
      {"standard --lr 0", "--lr: expected"},
      {"standard --lr nan", "--lr: expected"},
      {"standard --lr inf", "--lr: expected"},
      {"standard --optimizer lamb", "--optimizer: expected one of adam, adamw, sgd, got 'lamb'"},
      {"standard --schedule linear", "--schedule: expected one of"},
      {"standard --patience -1", "--patience: expected"},
      {"standard --min-delta x", "--min-delta: expected"},
      {"standard --protocol both", "--protocol: expected one of held_out, published"},
      {"standard --seed -1", "--seed: expected"},
      {"standard --seeds 0", "--seeds: expected"},
      {"standard --threads 5000", "--threads: expected"},
      {"standard --device tpu", "--device: expected one of auto, cpu, cuda, got 'tpu'"},
      {"standard --precision f16", "--precision: expected one of tf32, fp32, bf16, got 'f16'"},
      {"standard --limit -5", "--limit: expected"},
      {"standard --synthetic --data x", "--data excludes --synthetic"},
      {"standard --mixup -0.5", "--mixup: expected"},
      {"standard --label-smoothing 1", "--label-smoothing: expected a number 0 ... 0.99, got '1'"},
      {"standard --shift 28", "--shift: expected a whole number 0 ... 27, got '28'"},
      {"standard --erase 2", "--erase: expected a number 0 ... 1, got '2'"},
      {"standard --clip-norm -1", "--clip-norm: expected"},
      {"standard --average 1", "--average: expected"},
      {"standard --pieces 0", "--pieces: expected"},
      {"standard --config nowhere", "nowhere"},
      {"standard --dilation 2", "--dilation"},
      {"dilated --dilation 0", "--dilation: expected"},
      {"enhanced --dropout 1", "--dropout: expected a number 0 ... 0.99, got '1'"},
      {"compare --systems standard,resnet", "got 'resnet'"},
      {"compare --mixup 1", "--mixup"},
      {"deep surplus", "surplus"},
  };
  for (const auto& [command, expected] : cases) {
    CAPTURE(command);
    const Ended ended = run(command);
    CHECK(ended.exit_code == 2);
    CHECK(lines(ended.err) == 1);
    CHECK_THAT(ended.err, ContainsSubstring(expected));
    CHECK(ended.err.starts_with(command.substr(0, command.find(' ')) + ": "));
    CHECK(ended.out.empty());
  }
}

TEST_CASE("help shows every option with its default") {
  for (const char* program : {"standard", "deep", "dilated", "deformable", "enhanced", "compare"}) {
    CAPTURE(program);
    const Ended ended = run(program + std::string(" --help"));
    CHECK(ended.exit_code == 0);
    CHECK(ended.err.empty());
    for (const char* text : {"--epochs INT=15, with MixUp 40", "--batch INT=64", "--lr FLOAT=0.001",
                             "{adam,adamw,sgd}=adam", "{cosine,constant,step,one_cycle}=cosine",
                             "--patience INT=5", "{held_out,published}=held_out", "--seed UINT=0",
                             "--seeds INT=1", "{auto,cpu,cuda}=auto", "--out DIR=out"}) {
      CHECK_THAT(ended.out, ContainsSubstring(text));
    }
  }
  CHECK_THAT(run("dilated --help").out, ContainsSubstring("--dilation INT=2"));
  CHECK_THAT(run("enhanced --help").out, ContainsSubstring("--dropout FLOAT=0.3"));
  CHECK_THAT(run("deformable --help").out, ContainsSubstring("--mixup ALPHA=0"));
}

TEST_CASE("one program does what those of single networks do, and comparisons") {
  CHECK_THAT(run("drape --help").out, ContainsSubstring("compare"));
  CHECK_THAT(run("drape train dilated10 --help").out, ContainsSubstring("--dilation INT=10"));
  CHECK_THAT(run("drape train standard_mixup --help").out, ContainsSubstring("--mixup ALPHA=1"));
  CHECK_THAT(run("drape compare --help").out, ContainsSubstring("--systems"));
  for (const auto& [command, expected] : std::vector<std::pair<std::string, std::string>>{
           {"drape train", "drape: train: expected one of standard, deep,"},
           {"drape train resnet --epochs 1", "got 'resnet'"},
           {"drape train deep --batch 0", "drape train deep: --batch: expected"},
           {"drape compare --systems resnet", "drape compare: --systems: expected"}}) {
    const Ended ended = run(command);
    CHECK(ended.exit_code == 2);
    CHECK(lines(ended.err) == 1);
    CHECK_THAT(ended.err, ContainsSubstring(expected));
  }

  const TemporaryFolder folder;
  REQUIRE(run("drape train dilated10 --out " + quoted(folder / "a") + kSmall).exit_code == 0);
  REQUIRE(run("dilated --dilation 10 --out " + quoted(folder / "b") + kSmall).exit_code == 0);
  const std::string weights = "dilated10/seed0/weights.safetensors";
  CHECK(content(folder / ("a/" + weights)) == content(folder / ("b/" + weights)));
}

TEST_CASE("programs run from, and write to, a folder of any name") {
  const TemporaryFolder folder;
  const fs::path odd = folder / "it's a $(folder)";
  fs::create_directory_symlink(program_folder(), odd);
  CHECK(run("standard --help", odd).exit_code == 0);
  fs::create_directory(folder / "a b");
  const ScopedVariable temporary("TMPDIR", (folder / "a b").string());
  CHECK_FALSE(run("standard --help").out.empty());
}

TEST_CASE("options mean what they say") {
  const auto parsed = [](std::vector<const char*> words) {
    words.insert(words.begin(), "program");
    return *drape::parse_training_command(static_cast<int>(words.size()), words.data(), "",
                                          {.architecture = drape::Architecture::enhanced});
  };
  const drape::TrainingCommand command =
      parsed({"--epochs",    "7",       "--batch",    "3",         "--lr",       "0.5",
              "--optimizer", "sgd",     "--schedule", "one_cycle", "--patience", "2",
              "--min-delta", "0.25",    "--protocol", "published", "--seed",     "9",
              "--seeds",     "4",       "--threads",  "2",         "--device",   "cpu",
              "--data",      "d",       "--limit",    "11",        "--out",      "o",
              "--quiet",     "--mixup", "0.5",        "--dropout", "0.5"});
  const drape::Settings& settings = command.settings;
  CHECK(settings.epochs == 7);
  CHECK(settings.training.batch == 3);
  CHECK(settings.training.learning_rate == 0.5);
  CHECK(settings.training.optimizer == drape::OptimizerKind::sgd);
  CHECK(settings.training.schedule == drape::ScheduleKind::one_cycle);
  CHECK(settings.training.early_stopping.patience == 2);
  CHECK(settings.training.early_stopping.min_delta == 0.25);
  CHECK(settings.training.mixup_alpha == 0.5);
  CHECK(settings.training.seed == 9);
  CHECK(settings.protocol == drape::Protocol::published);
  CHECK(settings.seeds == 4);
  CHECK(settings.threads == 2);
  CHECK(settings.device == drape::Device::cpu);
  CHECK(settings.data == fs::path("d"));
  CHECK(settings.limit == 11);
  CHECK(settings.out == fs::path("o"));
  CHECK(settings.verbosity == drape::Verbosity::quiet);
  CHECK(command.network.dropout == 0.5);

  CHECK(parsed({}).settings.training.weight_decay == 0.0);
  CHECK(parsed({"--optimizer", "adamw"}).settings.training.weight_decay == 0.01);
  CHECK(parsed({"--optimizer", "adamw", "--weight-decay", "0"}).settings.training.weight_decay ==
        0.0);
  CHECK_FALSE(parsed({}).settings.device);
  CHECK(parsed({}).settings.precision == drape::Precision::tf32);
  CHECK(parsed({"--precision", "bf16"}).settings.precision == drape::Precision::bf16);
  CHECK_FALSE(parsed({}).settings.epochs);
  CHECK(parsed({}).settings.training.schedule == drape::ScheduleKind::cosine);
}

TEST_CASE("a quick comparison is short unless told otherwise") {
  const auto parsed = [](std::vector<const char*> words) {
    words.insert(words.begin(), "compare");
    return *drape::parse_compare_command(static_cast<int>(words.size()), words.data());
  };
  CHECK(parsed({}).systems.size() == 8);
  CHECK(parsed({}).settings.limit == 0);
  CHECK(parsed({"--quick"}).settings.epochs == 2);
  CHECK(parsed({"--quick"}).settings.limit == 6000);
  CHECK(parsed({"--quick", "--epochs", "9", "--limit", "0"}).settings.epochs == 9);
  CHECK(parsed({"--quick", "--epochs", "9", "--limit", "0"}).settings.limit == 0);
  CHECK(parsed({"--systems", "enhanced,standard"}).systems ==
        std::vector<std::string>{"standard", "enhanced"});
}

TEST_CASE("what the machine cannot do ends with exit code 1 and one line, before training") {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "not a folder";
  const std::string out = " --out " + quoted(folder / "out");
  const std::vector<std::pair<std::string, std::string>> cases{
      {"standard --data " + quoted(folder / "nowhere") + out, "nowhere"},
      {"standard --synthetic --out " + quoted(folder / "file/out"), "file/out"},
      {"compare --report-only --out " + quoted(folder / "nowhere"), "nowhere"},
  };
  for (const auto& [command, expected] : cases) {
    CAPTURE(command);
    const Ended ended = run(command);
    CHECK(ended.exit_code == 1);
    CHECK(lines(ended.err) == 1);
    CHECK_THAT(ended.err, ContainsSubstring(expected));
    CHECK(ended.out.empty());
  }
}

TEST_CASE("a training program writes its result, and the same one again for the same seed") {
  const TemporaryFolder folder;
  const auto train = [&](const std::string& out, const std::string& options) {
    const Ended ended =
        run("standard --quiet" + kSmall + options + " --out " + quoted(folder / out));
    CHECK(ended.exit_code == 0);
    CHECK(ended.out.empty());
    CHECK(ended.err.empty());
    return content(folder / out / "standard/seed3/weights.safetensors");
  };
  const std::string weights = train("a", "--seed 3");
  CHECK(weights.size() > 421'642 * 4);
  CHECK(train("b", "--seed 3 --threads 1") == weights);
  CHECK(train("c", "--seed 2 --seeds 2") == weights);
  const drape::RunResult run = drape::read_run(folder / "a/standard/seed3");
  CHECK(run.seed == 3);
  CHECK(run.test_accuracy);
  CHECK(run.history.size() == 1);
  CHECK(drape::read_run(folder / "c/standard/seed2").history != run.history);
  const std::string config = content(folder / "a/standard/seed3/config.toml");
  CHECK_THAT(config, ContainsSubstring("epochs=1\n"));
  CHECK_THAT(config, ContainsSubstring("seed=3\n"));
}

TEST_CASE("a system goes by the name that its options make") {
  const TemporaryFolder folder;
  const std::string out = " --quiet --out " + quoted(folder.path());
  CHECK(run("dilated --dilation 10" + kSmall + out).exit_code == 0);
  CHECK(fs::exists(folder / "dilated10/seed0/result.json"));
  CHECK(run("standard --mixup 1" + kSmall + out).exit_code == 0);
  CHECK(fs::exists(folder / "standard_mixup/seed0/result.json"));
}

TEST_CASE("a variation of a system is trained and written under a name of its own") {
  const TemporaryFolder folder;
  const std::string out = " --quiet --out " + quoted(folder.path());
  CHECK(run("dilated --dilation 5" + kSmall + out).exit_code == 0);
  CHECK(drape::read_run(folder / "dilated5/seed0").system == "dilated5");
}

TEST_CASE("a dry run and a search for a learning rate print tables and write nothing") {
  const TemporaryFolder folder;
  const std::string options = kSmall + "--device cpu --out " + quoted(folder / "out");
  const Ended dry = run("deformable --dry-run" + options);
  CHECK(dry.exit_code == 0);
  CHECK(dry.err.empty());
  for (const char* text :
       {"conv1", "[64,14,14,32]", "427,024", "a step", "at most 1, each 2 steps"})
    CHECK_THAT(dry.out, ContainsSubstring(text));
  const Ended search = run("standard --find-lr --batch 4" + options);
  CHECK(search.exit_code == 0);
  CHECK(search.err.empty());
  CHECK_THAT(search.out, ContainsSubstring("the loss falls fastest at"));
  CHECK(lines(search.out) > 20);
  CHECK_FALSE(fs::exists(folder / "out"));
  CHECK(run("standard --find-lr --dry-run").exit_code == 2);
}

TEST_CASE("a loss that is not finite ends a program with exit code 1 and one line") {
  const TemporaryFolder folder;
  const Ended ended = run("standard --quiet --optimizer sgd --lr 1e6 --batch 8" + kSmall +
                          " --out " + quoted(folder.path()));
  CHECK(ended.exit_code == 1);
  CHECK(lines(ended.err) == 1);
  CHECK_THAT(ended.err, ContainsSubstring("expected a finite loss"));
  CHECK_THAT(ended.err, ContainsSubstring("epoch 1, step "));
  CHECK_FALSE(fs::exists(folder / "standard/seed0/result.json"));
}

TEST_CASE("Ctrl-C and SIGTERM save where training stands, the best weights and the result") {
  const TemporaryFolder folder;
  for (const auto& [signal, exit_code] : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
    const fs::path out = folder / std::to_string(signal), run_folder = out / "standard/seed0";
    Process program({program_folder() / "standard", "--synthetic", "--limit", "240", "--epochs",
                     "100000", "--patience", "0", "--quiet", "--out", out.string()});
    for (int i = 0; i < 2000 && !fs::exists(run_folder / "result.json"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    REQUIRE(fs::exists(run_folder / "result.json"));
    program.send(signal);
    CHECK(program.wait() == exit_code);
    const drape::RunResult run = drape::read_run(run_folder);
    CHECK(run.stop_reason == "interrupted");
    CHECK_FALSE(run.test_accuracy);
    const drape::Weights weights = drape::load_weights(run_folder / "weights.safetensors");
    CHECK(weights.metadata.at("epoch") == std::to_string(run.best_epoch));
    for (const auto& entry : fs::directory_iterator(run_folder))
      CHECK(entry.path().string().find(".tmp") == std::string::npos);
    REQUIRE(std::distance(fs::directory_iterator(run_folder / "checkpoints"), {}) == 1);
    const fs::path state = fs::directory_iterator(run_folder / "checkpoints")->path();
    CHECK(drape::load_training_state(state).history.size() == run.history.size());
  }
}

TEST_CASE("a program that goes on ends as if it had not been interrupted, also once it is over") {
  const TemporaryFolder folder;
  const std::string options =
      " --synthetic --limit 240 --epochs 3 --batch 16 --checkpoint-steps 4 --quiet --out ";
  CHECK(run("standard" + options + quoted(folder / "whole")).exit_code == 0);
  const drape::RunResult expected = drape::read_run(folder / "whole/standard/seed0");
  const fs::path in_pieces = folder / "in_pieces/standard/seed0";
  Process program({program_folder() / "standard", "--synthetic", "--limit", "240", "--epochs", "3",
                   "--batch", "16", "--checkpoint-steps", "4", "--quiet", "--out",
                   (folder / "in_pieces").string()});
  for (int i = 0; i < 4000 && !fs::exists(in_pieces / "checkpoints"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  program.send(SIGKILL);
  program.wait();
  for (int i = 0; i < 2; ++i) {  // the second finds a run that is over
    CHECK(run("standard --resume" + options + quoted(folder / "in_pieces")).exit_code == 0);
    const drape::RunResult found = drape::read_run(in_pieces);
    CHECK(found.test_accuracy == expected.test_accuracy);
    CHECK(found.best_epoch == expected.best_epoch);
    CHECK(content(in_pieces / "weights.safetensors") ==
          content(folder / "whole/standard/seed0/weights.safetensors"));
  }
  const Ended other = run("standard --resume --lr 0.5" + options + quoted(folder / "in_pieces"));
  CHECK(other.exit_code == 1);
  CHECK(lines(other.err) == 1);
  CHECK_THAT(other.err, ContainsSubstring("expected a run with lr 0.5, got one with lr 0.001"));
}

TEST_CASE("the first Ctrl-C raises a flag, the second is the system's again") {
  struct sigaction before = {}, before_term = {}, after = {};
  ::sigaction(SIGINT, nullptr, &before);
  ::sigaction(SIGTERM, nullptr, &before_term);
  const std::atomic<bool>& interrupted = drape::catch_interrupt();
  ::raise(SIGINT);
  CHECK(interrupted);
  CHECK(drape::interrupted_exit() == 130);
  ::sigaction(SIGTERM, &before_term, nullptr);
  ::sigaction(SIGINT, &before, &after);
  CHECK(after.sa_handler == SIG_DFL);
}

TEST_CASE("compare trains the systems asked for and reports them, now and later") {
  const TemporaryFolder folder;
  const std::string out = " --out " + quoted(folder.path());
  const Ended ended = run("compare --systems deep,standard" + kSmall + out);
  CHECK(ended.exit_code == 0);
  CHECK_THAT(ended.out, ContainsSubstring("report.html"));
  CHECK_THAT(ended.err, ContainsSubstring("training images of drawn garments"));
  CHECK(ended.out.find("published") == std::string::npos);  // never beside synthetic data
  for (const char* file : {"report.md", "report.html", "report.json", "deep/seed0/history.csv",
                           "standard/seed0/weights.safetensors"}) {
    CAPTURE(file);
    CHECK(fs::exists(folder / file));
  }
  fs::remove(folder / "report.md");
  CHECK(run("compare --report-only" + out).exit_code == 0);
  CHECK_THAT(content(folder / "report.md"), ContainsSubstring("Deep CNN"));
}

TEST_CASE("a quick comparison without data and network draws its images and says so") {
  const TemporaryFolder folder;
  const ScopedVariable cache("XDG_CACHE_HOME", folder.path().string());
  const ScopedVariable data("DRAPE_DATA", {});
  const ScopedVariable proxy("http_proxy", "http://127.0.0.1:9");  // the discard port: no network
  const ScopedVariable upper("HTTP_PROXY", "http://127.0.0.1:9");
  const std::string options =
      "--quiet --systems standard --epochs 1 --limit 60 --out " + quoted(folder / "out");
  const Ended quick = run("compare --quick " + options);
  CHECK(quick.exit_code == 0);
  CHECK(lines(quick.err) == 1);
  CHECK_THAT(quick.err, ContainsSubstring("drawn garments instead"));
  CHECK(drape::read_run(folder / "out/standard/seed0").synthetic);
  const Ended full = run("compare " + options);
  CHECK(full.exit_code == 1);
  CHECK(lines(full.err) == 1);
}

TEST_CASE("the CPU trains in fp32, and says in one line that it cannot in bf16") {
  const TemporaryFolder folder;
  const std::string options = kSmall + "--device cpu --out " + quoted(folder.path());
  const Ended refused = run("standard --precision bf16" + options);
  CHECK(refused.exit_code == 1);
  CHECK(refused.err == "standard: precision: expected tf32 or fp32 on the CPU, got bf16\n");
  CHECK(run("standard" + options).exit_code == 0);
  CHECK(drape::read_run(folder / "standard/seed0").precision == "fp32");
}

#if defined(DRAPE_EMULATED)
TEST_CASE(
    "a device that cannot be used is named in one line, and the CPU trains unless told not to") {
  const std::vector<std::pair<const char*, std::string>> cases{
      {"none", "there is no CUDA device"},
      {"old-driver", "the NVIDIA driver supports CUDA 12.0, CUDA 13.0 is needed"},
      {"unsupported", "this binary has no kernels for the device's compute capability 9.0"}};
  for (const auto& [device, expected] : cases) {
    CAPTURE(device);
    emulated_device = device;
    const TemporaryFolder folder;
    const std::string options = kSmall + "--out " + quoted(folder.path());
    const Ended forced = run("standard --device cuda" + options);
    CHECK(forced.exit_code == 1);
    CHECK(lines(forced.err) == 1);
    CHECK_THAT(forced.err, ContainsSubstring("expected cuda to work, but " + expected));
    const Ended chosen = run("standard" + options);
    CHECK(chosen.exit_code == 0);
    CHECK_THAT(chosen.err, ContainsSubstring(expected + "; training on the CPU\n"));
    CHECK(drape::read_run(folder / "standard/seed0").device == "cpu");
  }
  emulated_device = "none";
}

TEST_CASE("a program trains on the device that is there") {
  emulated_device = "";
  const TemporaryFolder folder;
  const Ended ended = run("standard --synthetic --limit 24 --epochs 1 --precision bf16 --out " +
                          quoted(folder.path()));
  emulated_device = "none";
  CHECK(ended.exit_code == 0);
  CHECK(drape::read_run(folder / "standard/seed0").device == "cuda");
  CHECK(drape::read_run(folder / "standard/seed0").precision == "bf16");
  const drape::Weights weights = drape::load_weights(folder / "standard/seed0/weights.safetensors");
  for (const auto& [name, tensor] : weights.tensors) CHECK(tensor.dtype() == drape::DType::f32);
}
#endif
