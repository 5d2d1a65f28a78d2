#include "examples/commands.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/print.h"
#include "data/fashion_mnist.h"
#include "examples/comparison.h"
#include "examples/evaluation.h"
#include "examples/machine.h"
#include "examples/options.h"
#include "examples/predict.h"
#include "examples/program.h"
#include "kernels/parallel.h"
#include "models/pytorch.h"

namespace drape {
namespace {

namespace fs = std::filesystem;

// "drape 0.1.0", and the commit where that is known.
std::string version() {
  const std::string commit = build_commit();
  return fmt::format("drape {}{}", DRAPE_VERSION,
                     commit.empty() ? "" : fmt::format(" ({})", commit));
}

void export_onnx(const fs::path& weights, const fs::path& target) {
  SavedModel model = load_model(weights);
  OnnxGraph graph;
  const OnnxValue x{"x", {1, kImageSide, kImageSide, 1}};
  model.metadata["layout"] = "NCHW";
  model.metadata["input"] = kChannelsFirstInput;
  graph.write(target, x, model.network.onnx(graph, x), model.metadata);
}

void export_pytorch(const fs::path& weights, const fs::path& target) {
  SavedModel model = load_model(weights);
  save_weights(target, to_pytorch({model.network.tensors(), model.metadata}));
}

void print_predictions(const fs::path& weights, const PredictOptions& options) {
  SavedModel model = load_model(weights);
  write_result(text_of(predict(model, options), model.classes, options.format));
}

struct EvaluateOptions {
  std::optional<fs::path> data;
  DataPart part = DataPart::test;
  fs::path json, mistakes;  // empty: not written
  std::size_t count = 24;   // mistakes drawn
};

void evaluate(const fs::path& weights, const EvaluateOptions& options) {
  SavedModel model = load_model(weights);
  const LabelledImages images =
      load_fashion_mnist(find_or_download_fashion_mnist(options.data, options.part), options.part);
  const ModelFigures figures = evaluate_model(model, images);
  write_result(text_of(figures, model.classes));
  if (!options.json.empty()) write_file_atomically(options.json, json_of(figures, model.classes));
  if (!options.mistakes.empty()) {
    write_file_atomically(options.mistakes,
                          picture_of(figures.mistakes, images, model.classes, options.count));
  }
}

void add_weights(CLI::App& command, fs::path& weights) {
  command.add_option("weights", weights, "weights.safetensors of a training run")
      ->type_name("WEIGHTS")
      ->required();
}

void add_threads(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "0: as many as there are cores")
      ->check(count(0, 1024))
      ->capture_default_str();
}

void use_threads(int threads) {
  if (threads > 0) kernels::set_thread_count(threads);
}

// Each adds a command, which is carried out as soon as it is parsed, and what it is told.
void add_predict(CLI::App& app) {
  struct Told {
    fs::path weights;
    PredictOptions options;
    int threads = 0;
  };
  const auto told = std::make_shared<Told>();
  CLI::App& command = *app.add_subcommand("predict", "classify images");
  add_weights(command, told->weights);
  command
      .add_option("images", told->options.images,
                  "PNG or IDX files, folders of them, or - for standard input; white on black, "
                  "of any size")
      ->type_name("IMAGE...")
      ->required();
  add_choice<PredictionFormat>(command, "--format", told->options.format,
                               {{"table", PredictionFormat::table},
                                {"csv", PredictionFormat::csv},
                                {"json", PredictionFormat::json}},
                               "of what is printed");
  command.add_option("--top", told->options.top, "classes shown of each image")
      ->check(count(1, 1000))
      ->capture_default_str();
  command.add_flag("--invert", told->options.invert, "the images are black on white");
  add_threads(command, told->threads);
  command.callback([told] {
    use_threads(told->threads);
    print_predictions(told->weights, told->options);
  });
}

void add_evaluate(CLI::App& app) {
  struct Told {
    fs::path weights;
    EvaluateOptions options;
    int threads = 0;
  };
  const auto told = std::make_shared<Told>();
  EvaluateOptions& options = told->options;
  CLI::App& command = *app.add_subcommand("evaluate", "find out how good a model is");
  add_weights(command, told->weights);
  command
      .add_option("--data", options.data,
                  "folder with the part's two Fashion-MNIST files; default: $DRAPE_DATA, else a "
                  "cache that is filled by download")
      ->type_name("DIR");
  add_choice<DataPart>(command, "--part", options.part,
                       {{"test", DataPart::test}, {"train", DataPart::train}}, "of the data");
  command.add_option("--json", options.json, "also write all figures")->type_name("FILE");
  command
      .add_option("--mistakes", options.mistakes,
                  "also draw the mistakes that the model was surest of, as SVG")
      ->type_name("FILE");
  command.add_option("--count", options.count, "mistakes drawn")
      ->check(count(1, 10'000))
      ->capture_default_str();
  add_threads(command, told->threads);
  command.callback([told] {
    use_threads(told->threads);
    evaluate(told->weights, told->options);
  });
}

void add_export(CLI::App& app) {
  struct Told {
    fs::path weights, target;
    void (*write)(const fs::path& weights, const fs::path& target) = nullptr;
  };
  const auto told = std::make_shared<Told>();
  CLI::App& command = *app.add_subcommand("export", "write a model for other programs");
  add_weights(command, told->weights);
  command.add_option("file", told->target, "what is written; images are [N,C,H,W] there")
      ->type_name("FILE")
      ->required();
  add_choice<decltype(told->write)>(
      command, "--layout", told->write, {{"onnx", export_onnx}, {"pytorch", export_pytorch}},
      "of the file: ONNX, operator set 19, or safetensors of PyTorch's names and layouts");
  command.callback([told] {
    std::error_code none;
    DRAPE_CHECK(!fs::equivalent(told->weights, told->target, none),
                "export: expected another file than that of the weights, got '{}'",
                told->target.string());
    told->write(told->weights, told->target);
  });
}

bool asks_for_help(std::span<const std::string> words) {
  return !words.empty() && (words[0] == "--help" || words[0] == "-h" || words[0] == "help");
}

// What follows the name of such a command is for its program to understand.
CLI::App& add_program(CLI::App& app, const std::string& name, const std::string& help) {
  CLI::App& command = *app.add_subcommand(name, help)->prefix_command();
  command.set_help_flag();
  return command;
}

// Calls a program's main function.
template <class F>
int call(F&& program, const std::string& name, std::span<const std::string> words) {
  std::vector<const char*> arguments{name.c_str()};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  return program(static_cast<int>(arguments.size()), arguments.data());
}

int train(std::span<const std::string> words) {
  const System* const system = words.empty() ? nullptr : studied(words[0]);
  if (system == nullptr) {
    std::vector<std::string_view> names;
    for (const System& known : systems()) names.push_back(known.name);
    const std::string all = fmt::format("{}", fmt::join(names, ", "));
    if (asks_for_help(words)) {
      print(stdout,
            "usage: drape train NAME [OPTIONS]\nNAME: one of {}; NAME --help lists OPTIONS\n", all);
      return 0;
    }
    throw UsageError(fmt::format(
        "train: expected one of {}, got '{}' (drape train NAME --help lists its options)", all,
        words.empty() ? "" : words[0]));
  }
  const auto program = [&](int argc, const char* const* argv) {
    return training_program(argc, argv, fmt::format("{} on Fashion-MNIST.", system->title),
                            network_of(*system), system->mixup_alpha);
  };
  return call(program, fmt::format("drape train {}", system->name), words.subspan(1));
}

}  // namespace

int drape_program(int argc, const char* const* argv) {
  return guarded(argv[0], [&] {
    int exit_code = 0;
    CLI::App app("Trains networks of the study and does what there is to do with them.");
    app.require_subcommand(1);
    CLI::App& training = add_program(app, "train", "train a system of the study");
    training.callback([&] { exit_code = train(training.remaining()); });
    CLI::App& comparison = add_program(app, "compare", "train several and report them");
    comparison.callback(
        [&] { exit_code = call(compare_program, "drape compare", comparison.remaining()); });
    add_predict(app);
    add_evaluate(app);
    add_export(app);
    app.set_version_flag("--version", version());
    if (const std::string word = argc > 1 ? argv[1] : ""; word == "help") {
      print(stdout, "{}", app.help());
      return 0;
    } else if (!word.starts_with('-')) {
      std::vector<std::string> names;
      for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
      if (std::ranges::find(names, word) == names.end())
        throw UsageError(fmt::format("expected one of {}, got '{}' (--help explains them)",
                                     fmt::join(names, ", "), word));
    }
    parse(app, argc, argv);
    return exit_code;
  });
}

}  // namespace drape
