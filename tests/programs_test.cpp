// The programs as a user meets them: what they train, write and say.
#include "tests/programs.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/checkpoint.h"
#include "data/fashion_mnist.h"
#include "data/png.h"
#include "data/synthetic.h"
#include "examples/run_result.h"
#include "tests/catch.h"
#include "tests/skip.h"

namespace drape::tests {

namespace fs = std::filesystem;

namespace {

// The same by a script of the shell, which finds the program and its arguments in $@.
ProgramEnd run_by_shell(const std::string& script, const std::string& command) {
  const TemporaryFolder folder;
  std::ofstream(folder / "script") << script << "\n";
  return run("sh " + quoted(folder / "script") + " " + quoted(program_folder()) + "/" + command,
             "/bin");
}

}  // namespace

TEST_CASE("a training program writes its result, and the same one again for the same seed") {
  const TemporaryFolder folder;
  const auto train = [&](const std::string& out, const std::string& options) {
    const ProgramEnd ended =
        run("standard --quiet" + kSmall + options + " --out " + quoted(folder / out));
    CHECK(ended.exit_code == 0);
    CHECK(ended.out.empty());
    CHECK(ended.err.empty());
    return content(folder / out / "standard/seed3/weights.safetensors");
  };
  const std::string weights = train("a", "--seed 3");
  CHECK(weights.size() > 421'642 * 4);
  CHECK(train("b", "--seed 3 --threads 1") == weights);
  CHECK(train("d", "--seed 3 --threads 3") == weights);
  CHECK(train("c", "--seed 2 --seeds 2") == weights);
  const RunResult run = read_run(folder / "a/standard/seed3");
  CHECK(run.seed == 3);
  CHECK(run.test_accuracy);
  CHECK(run.history.size() == 1);
  CHECK(read_run(folder / "c/standard/seed2").history != run.history);
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
  CHECK(read_run(folder / "dilated5/seed0").system == "dilated5");
}

TEST_CASE("a dry run and a search for a learning rate print tables and write nothing") {
  const TemporaryFolder folder;
  const std::string options = kSmall + "--device cpu --out " + quoted(folder / "out");
  const ProgramEnd dry = run("deformable --dry-run --batch 8" + options);
  CHECK(dry.exit_code == 0);
  CHECK(dry.err.empty());
  for (const char* text :
       {"conv1", "[8,14,14,32]", "427,024", "a step", "at most 1, each 14 steps"})
    CHECK_THAT(dry.out, ContainsSubstring(text));
  const ProgramEnd search = run("standard --find-lr --batch 4" + options);
  CHECK(search.exit_code == 0);
  CHECK(search.err.empty());
  CHECK_THAT(search.out, ContainsSubstring("the loss falls fastest at"));
  CHECK(lines(search.out) > 20);
  CHECK_FALSE(fs::exists(folder / "out"));
  CHECK(run("standard --find-lr --dry-run").exit_code == 2);
}

TEST_CASE("a loss that is not finite ends a program with exit code 1 and one line") {
  const TemporaryFolder folder;
  const ProgramEnd ended = run("standard --quiet --optimizer sgd --lr 1e6 --batch 8" + kSmall +
                               " --out " + quoted(folder.path()));
  CHECK(ended.exit_code == 1);
  CHECK(lines(ended.err) == 1);
  CHECK_THAT(ended.err, ContainsSubstring("expected a finite loss"));
  CHECK_THAT(ended.err, ContainsSubstring("epoch 1, step "));
  CHECK_FALSE(fs::exists(folder / "standard/seed0/result.json"));
}

TEST_CASE("compare trains the systems asked for and reports them, now and later") {
  const TemporaryFolder folder;
  const std::string out = " --out " + quoted(folder.path());
  const ProgramEnd ended = run("compare --systems deep,standard" + kSmall + out);
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
  CHECK_THAT(content(folder / "report.md"), !ContainsSubstring("Command line"));  // trains nothing
  CHECK(run("compare --report-only --systems standard" + out).exit_code == 0);
  CHECK_THAT(content(folder / "report.md"), !ContainsSubstring("Deep CNN"));
  const std::string again = "compare --systems standard" + kSmall + " --out " +
                            quoted(folder / "two words");  // for a shell one
  CHECK(run(again).exit_code == 0);
  CHECK_THAT(content(folder / "two words/report.md"),
             ContainsSubstring("--out " + quoted(folder / "two words")));
}

TEST_CASE("a comparison's report names a system that diverged before it had a result") {
  const TemporaryFolder folder;
  const ProgramEnd ended = run("compare --quiet --systems standard,deep --lr 3e5" + kSmall +
                               " --out " + quoted(folder.path()));  // too high for six layers
  CHECK(ended.exit_code == 1);
  CHECK(lines(ended.err) == 1);
  CHECK_THAT(content(folder / "report.md"), ContainsSubstring("- deep, seed 0: train: expected"));
}

TEST_CASE("predictions that cannot be written, and images that cannot be read, are errors") {
  const TemporaryFolder folder;
  const std::string out = " --quiet --out " + quoted(folder.path());
  REQUIRE(run("standard" + kSmall + out).exit_code == 0);
  write_bytes(folder / "image.png", drape::png_of({1, 1, {255}}));
  const std::string predict =
      "drape predict " + quoted(folder / "standard/seed0/weights.safetensors") + " ";
  const ProgramEnd full =
      run_by_shell("exec \"$@\" > /dev/full", predict + quoted(folder / "image.png"));
  CHECK(full.exit_code == 1);
  CHECK_THAT(full.err, ContainsSubstring("cannot write to standard output: No space left"));
  const ProgramEnd no_file = run(predict + "- < " + quoted(folder.path()));
  CHECK(no_file.exit_code == 1);
  CHECK_THAT(no_file.err, ContainsSubstring("cannot read standard input: Is a directory"));
  CHECK(lines(no_file.err) == 1);
}

TEST_CASE("a model is not exported over its own weights") {
  const TemporaryFolder folder;
  REQUIRE(run("standard --quiet" + kSmall + "--out " + quoted(folder.path())).exit_code == 0);
  const fs::path weights = folder / "standard/seed0/weights.safetensors";
  const std::string before = content(weights);
  const ProgramEnd ended = run("drape export " + quoted(weights) + " " + quoted(weights));
  CHECK(ended.exit_code == 1);
  CHECK_THAT(ended.err, ContainsSubstring("expected another file than that of the weights"));
  CHECK(content(weights) == before);
  CHECK(run("drape export " + quoted(weights) + " /dev/null").exit_code == 0);
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("programs say what they take, and what they do not") {
  const auto says = [](const std::string& command, int exit_code, const std::string& text) {
    const ProgramEnd ended = run(command);
    CAPTURE(command);
    CHECK(ended.exit_code == exit_code);
    CHECK_THAT(ended.out + ended.err, ContainsSubstring(text));
  };
  says("drape --version", 0, "drape ");
  says("drape help", 0, "SUBCOMMAND");
  says("drape train --help", 0, "one of standard, deep");
  says("drape nope", 2, "expected one of train, compare, predict, evaluate, export, got 'nope'");
  says("standard --batch 010", 2, "expected a whole number");
  says("standard --mirror=7", 2, "--mirror: expected no value, got '7'");
}

TEST_CASE("threads that the system does not start are an error, not an end") {
  if (kSanitized) return skip("a sanitizer needs more memory than there is");
  const TemporaryFolder folder;
  // Stacks of 8 MiB each, of which 2 GiB have no room for a thousand.
  const ProgramEnd ended = run_by_shell(
      "ulimit -s 8192; ulimit -v 2000000; exec \"$@\"",
      "drape train standard --threads 1024" + kSmall + "--out " + quoted(folder.path()));
  CHECK(ended.exit_code == 1);
  CHECK_THAT(ended.err, ContainsSubstring("threads: expected 1024, got"));
}

TEST_CASE("a saved model is used from the command line: on images, on a data set, elsewhere") {
  const TemporaryFolder folder;
  REQUIRE(run("standard --synthetic --limit 600 --epochs 2 --quiet --out " + quoted(folder.path()))
              .exit_code == 0);
  const fs::path weights = folder / "standard/seed0/weights.safetensors";
  const DataSet garments = synthetic_garments(1, 20, 30);
  write_idx(garments, folder / "data");
  const std::string image = quoted(folder / "image.png");
  write_bytes(folder / "image.png",
              png_of({28, 28, {garments.test.pixels.begin(), garments.test.pixels.begin() + 784}}));

  const auto predicted = [&](const fs::path& model, const std::string& images) {
    const ProgramEnd ended = run("drape predict " + quoted(model) + " " + images);
    CAPTURE(ended.err);
    CHECK(ended.exit_code == 0);
    CHECK(ended.err.empty());
    return ended.out;
  };
  const auto json = nlohmann::json::parse(predicted(weights, image + " --format json --top 10"));
  REQUIRE(json.size() == 1);
  CHECK_THAT(json[0]["image"].get<std::string>(), ContainsSubstring("image.png"));
  REQUIRE(json[0]["classes"].size() == 10);
  double sum = 0.0;
  for (const auto& one : json[0]["classes"]) sum += one["probability"].get<double>();
  CHECK(sum == Approx(1.0));
  CHECK(lines(predicted(weights, image)) == 1);
  const auto piped =
      nlohmann::json::parse(predicted(weights, "- --format json --top 10 < " + image));
  CHECK(piped[0]["classes"] == json[0]["classes"]);
  const std::string all =
      predicted(weights, quoted(folder / "data/t10k-images-idx3-ubyte") + " --format csv --top 1");
  CHECK(lines(all) == 1 + 30);

  const ProgramEnd evaluated =
      run("drape evaluate " + quoted(weights) + " --data " + quoted(folder / "data") + " --json " +
          quoted(folder / "figures.json") + " --mistakes " + quoted(folder / "mistakes.svg"));
  CHECK(evaluated.exit_code == 0);
  const auto figures = nlohmann::json::parse(content(folder / "figures.json"));
  CHECK(figures["images"] == 30);
  std::int64_t right = 0;
  for (std::size_t c = 0; c < 10; ++c) right += figures["confusion"][c][c].get<std::int64_t>();
  CHECK(figures["accuracy"].get<double>() == Approx(static_cast<double>(right) / 30.0));
  CHECK(figures["mistakes"].size() == static_cast<std::size_t>(30 - right));
  CHECK(content(folder / "mistakes.svg").starts_with("<svg"));
  CHECK(run("drape evaluate " + quoted(weights) + " --part train --data " +
            quoted(folder / "data") + " --json " + quoted(folder / "train.json"))
            .exit_code == 0);
  CHECK(nlohmann::json::parse(content(folder / "train.json"))["images"] == 20);
  fs::remove(folder / "data/train-images-idx3-ubyte");
  const ProgramEnd again =
      run("drape evaluate " + quoted(weights) + " --data " + quoted(folder / "data"));
  CHECK(again.exit_code == 0);
  CHECK(again.out == evaluated.out);

  const fs::path torch = folder / "torch.safetensors";
  const auto exported = [&](const fs::path& from, const fs::path& to, const std::string& options) {
    return run("drape export " + quoted(from) + " " + quoted(to) + options).exit_code == 0;
  };
  REQUIRE(exported(weights, torch, " --layout pytorch"));
  CHECK(load_weights(torch).metadata.at("layout") == "NCHW");
  CHECK(predicted(torch, image) == predicted(weights, image));
  REQUIRE(exported(weights, folder / "model.onnx", ""));
  CHECK_THAT(content(folder / "model.onnx"), ContainsSubstring("conv1.weight"));
}

TEST_CASE("a quick comparison without data and network draws its images and says so") {
  const TemporaryFolder folder;
  const ScopedVariable cache("XDG_CACHE_HOME", folder.path().string());
  const ScopedVariable data("DRAPE_DATA", {});
  const ScopedVariable proxy("http_proxy", "http://127.0.0.1:9");  // the discard port: no network
  const ScopedVariable upper("HTTP_PROXY", "http://127.0.0.1:9");
  const ScopedVariable no_exception("no_proxy", {}), no_upper_exception("NO_PROXY", {});
  const std::string options =
      "--quiet --systems standard --epochs 1 --limit 60 --out " + quoted(folder / "out");
  const ProgramEnd quick = run("compare --quick " + options);
  CHECK(quick.exit_code == 0);
  CHECK(lines(quick.err) == 1);
  CHECK_THAT(quick.err, ContainsSubstring("drawn garments instead"));
  CHECK(read_run(folder / "out/standard/seed0").synthetic);
  const ProgramEnd full = run("compare " + options);
  CHECK(full.exit_code == 1);
  CHECK(lines(full.err) == 1);
}

TEST_CASE("the CPU trains in fp32, and says in one line that it cannot in bf16") {
  const TemporaryFolder folder;
  const std::string options = kSmall + "--device cpu --out " + quoted(folder.path());
  const ProgramEnd refused = run("standard --precision bf16" + options);
  CHECK(refused.exit_code == 1);
  CHECK(refused.err == "standard: precision: expected tf32 or fp32 on the CPU, got bf16\n");
  CHECK(run("standard" + options).exit_code == 0);
  CHECK(read_run(folder / "standard/seed0").precision == "fp32");
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
    const ProgramEnd forced = run("standard --device cuda" + options);
    CHECK(forced.exit_code == 1);
    CHECK(lines(forced.err) == 1);
    CHECK_THAT(forced.err, ContainsSubstring("expected cuda to work, but " + expected));
    const ProgramEnd chosen = run("standard" + options);
    CHECK(chosen.exit_code == 0);
    CHECK_THAT(chosen.err, ContainsSubstring("training on the CPU: " + expected));
    CHECK(read_run(folder / "standard/seed0").device == "cpu");
  }
  emulated_device = "none";
}

TEST_CASE("a program trains on the device that is there") {
  emulated_device = "";
  const TemporaryFolder folder;
  const ProgramEnd ended = run(
      "standard --synthetic --limit 24 --epochs 1 --precision bf16 --out " + quoted(folder.path()));
  emulated_device = "none";
  CHECK(ended.exit_code == 0);
  CHECK(read_run(folder / "standard/seed0").device == "cuda");
  CHECK(read_run(folder / "standard/seed0").precision == "bf16");
  const Weights weights = load_weights(folder / "standard/seed0/weights.safetensors");
  for (const auto& [name, tensor] : weights.tensors) CHECK(tensor.dtype() == DType::f32);
}
#endif

}  // namespace drape::tests
