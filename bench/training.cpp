// Training speed of the eight systems, images/s: the trainer itself on drawn garments, evaluation
// left out.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <future>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/layers.h"
#include "bench/vendor_convolution.h"
#include "data/synthetic.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "models/build.h"
#include "optim/trainer.h"

namespace {

using namespace drape;

struct Options {
  std::vector<std::string> systems;
  std::int64_t batch = 64;
  int threads = 0, steps = 40, repeats = 5;
  Device device = Device::cpu;
  bool json = false, layers = false, kernels = false;
};

// Images per second of every epoch but the first, which warms up.
class Pace : public Observer {
 public:
  void on_begin(const TrainingPlan& plan) override { images_ = plan.images_per_epoch; }
  void on_step(const EpochProgress& progress) override {
    if (progress.epoch > 1 && progress.images == images_)
      rates.push_back(static_cast<double>(images_) / progress.seconds);
  }

  std::vector<double> rates;

 private:
  std::int64_t images_ = 0;
};

Examples examples(const LabelledImages& images, Device device) {
  const Shape shape{images.size(), images.height, images.width, 1};
  Examples all{Tensor::from(shape, images.pixels).to(device),
               Tensor::from({images.size()}, images.labels).to(device),
               std::vector<std::int32_t>(images.labels.size())};
  for (std::size_t i = 0; i < all.indices.size(); ++i)
    all.indices[i] = static_cast<std::int32_t>(i);
  return all;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Multiplications and additions of a training step per image: forward, and backward twice as much
// but for the first layer's input, which has no gradient.
double flop_per_image(Module& model) {
  return 6.0 * static_cast<double>(model.multiply_adds({1, 28, 28, 1})) - 2.0 * 9 * 32 * 28 * 28;
}

// The rate at which oneDNN alone does the convolutions of `standard`, flop/s: all of their passes
// in a training step.
double vendor_rate(std::int64_t batch, int threads) {
  const auto same = [&](std::int64_t size, std::int64_t C, std::int64_t K) {
    return Conv2dGeometry{batch, size, size, C, K, 3, 3, size, size, {1}, {1}, {1}, 1};
  };
  const Conv2dGeometry first = same(28, 1, 32), second = same(14, 32, 64);
  const auto flop = [](const Conv2dGeometry& g) {
    return 18.0 * static_cast<double>(g.C * g.y_size());
  };
  const auto time =
      [&](const Conv2dGeometry& g) {  // on a thread of its own: OpenMP's thread count is a thread's
        return std::async(std::launch::async, bench::time_vendor_convolution, g, threads).get();
      };
  const bench::VendorSeconds a = time(first), b = time(second);
  const double seconds =
      a.forward + a.backward_weights + b.forward + b.backward_data + b.backward_weights;
  return (2.0 * flop(first) + 3.0 * flop(second)) / seconds;
}

Sequential initialized(const System& system, Device device) {
  Sequential model = build_system(system);
  Generator initialization(0, Purpose::initialization);
  model.initialize(initialization);
  model.to(device);
  return model;
}

// Where the time of a step goes.
void print_layers(const Options& options, const System& system, const DataSet& data) {
  Sequential model = initialized(system, options.device);
  const Examples all = examples(data.train, options.device);
  const auto batch = gather_batch(
      all.images, all.labels, std::span(all.indices).first(static_cast<std::size_t>(options.batch)),
      all.classes, {}, DType::f32);
  const std::vector<bench::PartSeconds> parts = bench::time_parts(model, batch, options.steps);
  double sum = 0.0;
  for (const bench::PartSeconds& part : parts) sum += part.forward + part.backward;
  std::printf("%s, ms a step: %.3f\n", system.name.data(), 1e3 * sum);
  for (const bench::PartSeconds& part : parts) {
    std::printf("  %-12s forward %8.3f  backward %8.3f  %5.1f %%\n", part.name.c_str(),
                1e3 * part.forward, 1e3 * part.backward,
                100.0 * (part.forward + part.backward) / sum);
  }
}

// What the device is asked for in a step.
void print_kernels(const Options& options, const System& system, const DataSet& data) {
  class Printer : public Observer {
   public:
    void on_recorded(const kernels::GraphContent& step) override {
      std::printf(", %lld kernels a step:\n", static_cast<long long>(step.kernels));
      for (const std::string& name : step.names) std::printf("  %s\n", name.c_str());
      done = true;
    }
    void on_warning(const std::string& line) override { throw Error(line); }
    std::atomic<bool> done = false;
  } printer;
  Sequential model = initialized(system, options.device);
  std::printf("%s", system.name.data());
  train(model, examples(data.train, options.device), examples(data.test, options.device),
        {.batch = options.batch, .mixup_alpha = system.mixup_alpha}, printer, printer.done);
}

void run(const Options& options, const System& system, const DataSet& data) {
  Sequential model = initialized(system, options.device);
  Pace pace;
  const std::atomic<bool> never{false};
  train(model, examples(data.train, options.device), examples(data.test, options.device),
        {.epochs = options.repeats + 1,
         .batch = options.batch,
         .mixup_alpha = system.mixup_alpha,
         .early_stopping{.patience = 0}},
        pace, never);
  const double rate = median(pace.rates);
  if (options.json) {
    const nlohmann::json line{{"system", system.name},      {"images_per_second", rate},
                              {"repeats", pace.rates},      {"batch", options.batch},
                              {"threads", options.threads}, {"device", name(options.device)}};
    std::printf("%s\n", line.dump().c_str());
  } else {
    const double flop_rate = rate * flop_per_image(model);
    std::printf("%-18s %8.0f images/s  %6.1f GFLOP/s", system.name.data(), rate, flop_rate * 1e-9);
    if (system.name == "standard" && options.device == Device::cpu) {
      const double vendor = vendor_rate(options.batch, options.threads);
      std::printf("  %.0f %% of the %.1f GFLOP/s at which oneDNN alone does its convolutions",
                  100.0 * flop_rate / vendor, vendor * 1e-9);
    }
    std::printf("\n");
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Training speed of the eight systems, images/s");
  std::vector<std::string> names;
  for (const System& system : systems()) names.emplace_back(system.name);
  app.add_option("--system", options.systems, "which ones; all by default")
      ->check(CLI::IsMember(names));
  app.add_option("--batch", options.batch, "images a step")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", options.threads, "0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--steps", options.steps, "steps a repeat")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--repeats", options.repeats, "the median of these counts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  bool cuda = false;
  CLI::Option* const on_cuda = app.add_flag("--cuda", cuda, "on the device, with TF32");
  app.add_flag("--json", options.json, "one line of JSON a system");
  app.add_flag("--layers", options.layers, "where the time of a step goes, layer by layer");
  app.add_flag("--kernels", options.kernels, "with --cuda: what the device is asked for in a step")
      ->needs(on_cuda);
  CLI11_PARSE(app, argc, argv);
  try {
    if (cuda) {
      options.device = Device::cuda;
      if constexpr (kCudaBuilt) set_cuda_math(Math::tf32);
    }
    if (options.threads > 0) kernels::set_thread_count(options.threads);
    options.threads = kernels::thread_count();
    const DataSet data = synthetic_garments(0, options.batch * options.steps, 10);
    for (const std::string& name : options.systems.empty() ? names : options.systems) {
      const auto task = options.kernels ? print_kernels : options.layers ? print_layers : run;
      task(options, find_system(name), data);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_training: %s\n", error.what());
    return 1;
  }
}
