// What programs are told: exit codes and one-line messages for what makes no sense.
#include "examples/command_line.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/programs.h"

namespace drape::tests {

namespace fs = std::filesystem;

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
    const ProgramEnd ended = run(command);
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
    const ProgramEnd ended = run(program + std::string(" --help"));
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
    const ProgramEnd ended = run(command);
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
    return *parse_training_command(static_cast<int>(words.size()), words.data(), "",
                                   {.architecture = Architecture::enhanced});
  };
  const TrainingCommand command =
      parsed({"--epochs",    "7",       "--batch",    "3",         "--lr",       "0.5",
              "--optimizer", "sgd",     "--schedule", "one_cycle", "--patience", "2",
              "--min-delta", "0.25",    "--protocol", "published", "--seed",     "9",
              "--seeds",     "4",       "--threads",  "2",         "--device",   "cpu",
              "--data",      "d",       "--limit",    "11",        "--out",      "o",
              "--quiet",     "--mixup", "0.5",        "--dropout", "0.5"});
  const Settings& settings = command.settings;
  CHECK(settings.epochs == 7);
  CHECK(settings.training.batch == 3);
  CHECK(settings.training.learning_rate == 0.5);
  CHECK(settings.training.optimizer == OptimizerKind::sgd);
  CHECK(settings.training.schedule == ScheduleKind::one_cycle);
  CHECK(settings.training.early_stopping.patience == 2);
  CHECK(settings.training.early_stopping.min_delta == 0.25);
  CHECK(settings.training.mixup_alpha == 0.5);
  CHECK(settings.training.seed == 9);
  CHECK(settings.protocol == Protocol::published);
  CHECK(settings.seeds == 4);
  CHECK(settings.threads == 2);
  CHECK(settings.device == Device::cpu);
  CHECK(settings.data == fs::path("d"));
  CHECK(settings.limit == 11);
  CHECK(settings.out == fs::path("o"));
  CHECK(settings.verbosity == Verbosity::quiet);
  CHECK(command.network.dropout == 0.5);

  CHECK(parsed({}).settings.training.weight_decay == 0.0);
  CHECK(parsed({"--optimizer", "adamw"}).settings.training.weight_decay == 0.01);
  CHECK(parsed({"--optimizer", "adamw", "--weight-decay", "0"}).settings.training.weight_decay ==
        0.0);
  CHECK_FALSE(parsed({}).settings.device);
  CHECK(parsed({}).settings.precision == Precision::tf32);
  CHECK(parsed({"--precision", "bf16"}).settings.precision == Precision::bf16);
  CHECK_FALSE(parsed({}).settings.epochs);
  CHECK(parsed({}).settings.training.schedule == ScheduleKind::cosine);
}

TEST_CASE("states are written every five minutes unless told otherwise") {
  const auto checkpoints = [](std::vector<const char*> words) {
    words.insert(words.begin(), "program");
    return parse_training_command(static_cast<int>(words.size()), words.data(), "", {})
        ->settings.training.checkpoints;
  };
  CHECK(checkpoints({}).every_seconds == 300.0);
  CHECK(checkpoints({}).every_steps == 0);
  CHECK(checkpoints({}).start == Start::over);
  CHECK(checkpoints({"--checkpoint-minutes", "2"}).every_seconds == 120.0);
  CHECK(checkpoints({"--checkpoint-minutes", "0"}).every_seconds == 0.0);
  CHECK(checkpoints({"--checkpoint-steps", "7"}).every_steps == 7);
  CHECK(checkpoints({"--keep", "5"}).keep == 5);
  CHECK(checkpoints({"--resume"}).start == Start::resume);
}

TEST_CASE("a quick comparison is short unless told otherwise") {
  const auto parsed = [](std::vector<const char*> words) {
    words.insert(words.begin(), "compare");
    return *parse_compare_command(static_cast<int>(words.size()), words.data());
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
    const ProgramEnd ended = run(command);
    CHECK(ended.exit_code == 1);
    CHECK(lines(ended.err) == 1);
    CHECK_THAT(ended.err, ContainsSubstring(expected));
    CHECK(ended.out.empty());
  }
}

}  // namespace drape::tests
