// Configuration files: what --config reads, and what is written beside a run.
#include <fstream>
#include <string>
#include <vector>

#include "examples/command_line.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"

namespace drape::tests {
namespace {

TrainingCommand parsed(std::vector<std::string> words) {
  std::vector<const char*> arguments{"program"};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  return *parse_training_command(static_cast<int>(arguments.size()), arguments.data(), "",
                                 {.architecture = Architecture::enhanced});
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) { std::ofstream(path()) << text; }
  std::string path() const { return (folder_ / "run.toml").string(); }

 private:
  TemporaryFolder folder_;
};

std::string error_with(const std::string& text, std::vector<std::string> more = {}) {
  const ConfigFile file(text);
  more.insert(more.begin(), {"--config", file.path()});
  try {
    parsed(more);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a configuration file sets options, and the command line wins") {
  const ConfigFile file(
      "# a comment\n"
      "epochs = 7  # and another\r\n"
      "\tlr=0.25#\n"
      "optimizer = \"sgd\"\n"
      "mirror = true\n"
      "out = 'a \"#\" = b'\n"
      "quiet = false\n"
      "mixup = 0.5\n");
  const TrainingCommand command = parsed({"--config", file.path(), "--lr", "0.5"});
  CHECK(command.settings.epochs == 7);
  CHECK(command.settings.training.learning_rate == 0.5);
  CHECK(command.settings.training.optimizer == OptimizerKind::sgd);
  CHECK(command.settings.training.augmentation.mirroring == Mirroring::half);
  CHECK(command.settings.verbosity == Verbosity::progress);
  CHECK(command.settings.training.mixup_alpha == 0.5);
  CHECK(command.settings.out == "a \"#\" = b");
}

TEST_CASE("quotes and backslashes within double quotes are escaped") {
  const ConfigFile file("out = \"it's \\\"a\\\" \\\\ folder\"  # \"\n");
  CHECK(parsed({"--config", file.path()}).settings.out == "it's \"a\" \\ folder");
  const ConfigFile plain("out = 'a \\ b'\n");
  CHECK(parsed({"--config", plain.path()}).settings.out == "a \\ b");
}

TEST_CASE("a folder of any name is read back from the configuration that is written") {
  for (const std::string out : {"a", "7", "+7", "1e3", "true", " a ", "a=b # c", "\\", "it's",
                                "\"a\"", "it's \"a\" \\ folder\\"}) {
    CAPTURE(out);
    const ConfigFile file(parsed({"--out", out}).settings.config);
    CHECK(parsed({"--config", file.path()}).settings.out == out);
  }
}

TEST_CASE("a weight decay that nobody gave goes with the optimizer, whoever names that") {
  const auto decay = [](const std::vector<std::string>& first, const std::string& optimizer) {
    const ConfigFile file(parsed(first).settings.config);
    return parsed({"--config", file.path(), "--optimizer", optimizer})
        .settings.training.weight_decay;
  };
  CHECK(decay({}, "adamw") == 0.01);
  CHECK(decay({"--optimizer", "adamw"}, "adam") == 0.0);
  CHECK(decay({"--weight-decay", "0"}, "adamw") == 0.0);
  CHECK(decay({"--weight-decay", "0.5"}, "adamw") == 0.5);
}

TEST_CASE("what a configuration file has wrong is named") {
  CHECK(error_with("\nepocs = 7\n") ==
        "--config: line 2: expected the name of an option that a file may set, got 'epocs'");
  CHECK_THAT(error_with("resume = true\n"), ContainsSubstring("got 'resume'"));
  CHECK_THAT(error_with("epochs = 7\nepochs = 8\n"), ContainsSubstring("line 2: expected each"));
  CHECK_THAT(error_with("quiet = maybe\n"),
             ContainsSubstring("expected quiet = true or false, got 'maybe'"));
  for (const std::string line :
       {"epochs", "epochs =", "= 7", "epochs = 7 8", "epochs = [7", "epochs = [7,,8]", "epochs 7",
        "epochs = \"7", "epochs = 7]", "[section]", "\x01\xff", "epochs = 7,", "out = a b",
        "out = \"a\\b\"", "out = \"a\\\"", "out = \"a\\"}) {
    CAPTURE(line);
    CHECK(error_with(line) ==
          fmt::format("--config: line 1: expected NAME = VALUE, got '{}'", line));
  }
  CHECK_THAT(error_with("epochs = [7, 8]\n"), ContainsSubstring("--epochs"));
  CHECK_THAT(error_with(std::string((1 << 20) + 1, '#')), ContainsSubstring("at most 1 MiB"));
  CHECK_THAT(error_with("epochs = 0\n"),
             ContainsSubstring("--epochs: expected a whole number 1 ... 1000000, got '0'"));
  CHECK_THAT(error_with("optimizer = \"lamb\"\n"), ContainsSubstring("got 'lamb'"));
  CHECK_THAT(error_with("synthetic = true\n", {"--data", "x"}), ContainsSubstring("excludes"));
  CHECK(error_with("epochs = 7\n").empty());  // the control
  try {
    parsed({"--config", "no/such/file"});
    FAIL("a file that is not there was read");
  } catch (const UsageError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("no/such/file"));
  }
}

TEST_CASE("the configuration that is written beside a run says what that run was told") {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {},
           {"--mixup", "1"},
           {"--epochs", "7"},
           {"--optimizer", "adamw", "--shift", "2", "--mirror", "--erase", "0.25", "--average",
            "0.99", "--clip-norm", "1.5", "--label-smoothing", "0.1", "--pieces", "2"},
           {"--synthetic", "--quiet", "--limit", "100", "--seed", "12345678901234567", "--out",
            "a folder/b", "--dropout", "0.5", "--checkpoint-minutes", "2.5", "--protocol",
            "published", "--device", "cpu", "--precision", "fp32", "--tensorboard"}}) {
    const TrainingCommand first = parsed(words);
    INFO(first.settings.config);
    const ConfigFile file(first.settings.config);
    const TrainingCommand again = parsed({"--config", file.path()});
    CHECK(again.settings.config == first.settings.config);
    CHECK(identity_of(again.settings.training) == identity_of(first.settings.training));
    // What nobody gave is written as what it was.
    CHECK(again.settings.epochs ==
          first.settings.epochs.value_or(default_epochs(first.settings.training.mixup_alpha)));
    CHECK(again.settings.source == first.settings.source);
    CHECK(again.settings.verbosity == first.settings.verbosity);
    CHECK(again.settings.out == first.settings.out);
    CHECK(again.settings.limit == first.settings.limit);
    CHECK(again.settings.protocol == first.settings.protocol);
    CHECK(again.settings.device == first.settings.device);
    CHECK(again.settings.precision == first.settings.precision);
    CHECK(again.settings.events == first.settings.events);
    CHECK(again.settings.training.checkpoints.every_seconds ==
          first.settings.training.checkpoints.every_seconds);
    CHECK(again.network.dropout == first.network.dropout);
  }
}

TEST_CASE("the configuration of a comparison does too") {
  const auto compared = [](std::vector<std::string> words) {
    std::vector<const char*> arguments{"compare"};
    for (const std::string& word : words) arguments.push_back(word.c_str());
    return *parse_compare_command(static_cast<int>(arguments.size()), arguments.data());
  };
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"--systems", "enhanced,standard", "--quick"}, {"--report-only", "--seeds", "3"}}) {
    const CompareCommand first = compared(words);
    INFO(first.settings.config);
    const ConfigFile file(first.settings.config);
    const CompareCommand again = compared({"--config", file.path()});
    CHECK(again.settings.config == first.settings.config);
    CHECK(again.systems == first.systems);
    CHECK(again.fallback == first.fallback);
    CHECK(again.task == first.task);
    CHECK(again.settings.seeds == first.settings.seeds);
    CHECK(again.settings.limit == first.settings.limit);
  }
}

}  // namespace drape::tests
