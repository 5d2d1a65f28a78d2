// Training speed of the eight systems, or of networks of any size: the trainer itself on drawn
// garments or random pixels, evaluation left out.
//   bench_training [--system standard] [--network deform --size 56] [--device cuda] [--json FILE]
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <exception>
#include <future>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/networks.h"
#include "bench/options.h"
#include "bench/rates.h"
#include "bench/record.h"
#include "bench/vendor_convolution.h"
#include "core/print.h"
#include "data/synthetic.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "layers/conv2d.h"
#include "models/build.h"
#include "optim/metrics.h"
#include "optim/profile.h"
#include "optim/trainer.h"

namespace {

using namespace drape;

struct Options : bench::CommonOptions {
  std::vector<std::string> systems;
  std::string network;
  std::int64_t batch = 64, size = 28, channels = 32;
  int steps = 40, repeats = 5;
  bool bf16 = false, layers = false, kernels = false;

  std::int64_t images() const { return batch * steps; }  // of an epoch
};

// What is trained, from its initial weights.
struct Subject {
  std::string name;
  Sequential model;
  double mixup_alpha;
  std::int64_t size;  // of its images
};

// Seconds of a step, in every epoch but the first, which warms up.
class Pace : public Observer {
 public:
  explicit Pace(const Options& options) : options_(options) {}

  void on_step(const EpochProgress& progress) override {
    if (progress.epoch > 1 && progress.images == options_.images())
      seconds_a_step.push_back(progress.seconds / options_.steps);
  }

  std::vector<double> seconds_a_step;

 private:
  const Options& options_;
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

// Garments as large as Fashion-MNIST's, else random pixels.
Examples drawn_examples(std::int64_t count, std::int64_t size, Device device) {
  if (size == kImageSide) return examples(synthetic_garments(0, count, 1).train, device);
  LabelledImages images{size, size, std::vector<std::uint8_t>(count * size * size),
                        std::vector<std::uint8_t>(static_cast<std::size_t>(count))};
  const RandomStream stream{.seed = 0, .id = 0};
  for (std::size_t i = 0; i < images.pixels.size(); ++i)
    images.pixels[i] = static_cast<std::uint8_t>(stream.word(i));
  for (std::size_t i = 0; i < images.labels.size(); ++i)
    images.labels[i] = static_cast<std::uint8_t>(i % kClasses);
  return examples(images, device);
}

// Multiplications and additions of a training step per image: forward, and backward twice as much
// but for the gradient of the image, which an ordinary convolution does not compute.
double flop_per_image(Subject& subject) {
  double flop =
      6.0 * static_cast<double>(subject.model.multiply_adds({1, subject.size, subject.size, 1}));
  bool first = true;
  subject.model.each([&](const std::string&, Module& layer) {
    if (first && dynamic_cast<Conv2d*>(&layer)) {
      flop -= 2.0 * static_cast<double>(layer.multiply_adds({1, subject.size, subject.size, 1}));
    }
    first = false;
  });
  return flop;
}

// Numbers that a training step cannot but keep or make, per image and for all of them: the layers'
// outputs, and the parameters.
struct Elements {
  std::int64_t an_image = 0, parameters = 0;
};
Elements elements(Subject& subject) {
  Elements count{0, subject.model.parameter_count()};
  Shape shape{1, subject.size, subject.size, 1};
  subject.model.each([&](const std::string&, Module& layer) {
    shape = layer.output_shape(shape);
    count.an_image += shape.size();
  });
  return count;
}

// The rate at which oneDNN alone does the convolutions of `standard`, flop/s: all of their passes
// in a training step.
double vendor_rate(std::int64_t batch) {
  const auto same = [&](std::int64_t size, std::int64_t C, std::int64_t K) {
    return Conv2dGeometry{batch, size, size, C, K, 3, 3, size, size, {1}, {1}, {1}, 1};
  };
  const Conv2dGeometry first = same(28, 1, 32), second = same(14, 32, 64);
  const auto flop = [](const Conv2dGeometry& g) {
    return 18.0 * static_cast<double>(g.C * g.y_size());
  };
  const auto time =
      [&](const Conv2dGeometry& g) {  // on a thread of its own: OpenMP's thread count is a thread's
        return std::async(std::launch::async, bench::time_vendor_convolution, g,
                          kernels::thread_count())
            .get();
      };
  const bench::VendorSeconds a = time(first), b = time(second);
  const double seconds =
      a.forward + a.backward_weights + b.forward + b.backward_data + b.backward_weights;
  return (2.0 * flop(first) + 3.0 * flop(second)) / seconds;
}

Subject initialized(Subject subject, const Options& options) {
  Generator initialization(0, Purpose::initialization);
  subject.model.initialize(initialization);
  subject.model.to(options.device());
  if (options.bf16) subject.model.to(DType::bf16);
  return subject;
}

Subject system_subject(const std::string& name, const Options& options) {
  const System& system = find_system(name);
  return initialized({name, build_system(system), system.mixup_alpha, kImageSide}, options);
}

Subject network_subject(const Options& options) {
  return initialized(
      {fmt::format("{}, batch {}, {}x{}, {} channels", options.network, options.batch, options.size,
                   options.size, options.channels),
       bench::growing_network(options.network, options.size, options.channels), 0.0, options.size},
      options);
}

// Where the time of a step goes.
void print_layers(const Options& options, Subject& subject) {
  const Examples all = drawn_examples(options.batch, subject.size, options.device());
  const auto batch = gather_batch(all.images, all.labels, all.indices, all.classes, {},
                                  compute_type(subject.model));
  const std::vector<PartSeconds> parts = time_parts(subject.model, batch, options.steps);
  double sum = 0.0;
  for (const PartSeconds& part : parts) sum += part.forward + part.backward;
  print(stdout, "{}, ms a step: {:.3f}\n", subject.name, 1e3 * sum);
  for (const PartSeconds& part : parts) {
    print(stdout, "  {:<12} forward {:8.3f}  backward {:8.3f}  {:5.1f} %\n", part.name,
          1e3 * part.forward, 1e3 * part.backward, 100.0 * (part.forward + part.backward) / sum);
  }
}

// What the device is asked for in a step.
void print_kernels(const Options& options, Subject& subject) {
  class Printer : public Observer {
   public:
    void on_recorded(const kernels::GraphContent& step) override {
      print(stdout, ", {} kernels a step:\n", step.kernels);
      for (const std::string& name : step.names) print(stdout, "  {}\n", name);
      done = true;
    }
    void on_warning(const std::string& line) override { throw Error(line); }
    std::atomic<bool> done = false;
  } printer;
  print(stdout, "{}", subject.name);
  const Examples all = drawn_examples(options.images(), subject.size, options.device());
  train(subject.model, all, all, {.batch = options.batch, .mixup_alpha = subject.mixup_alpha},
        printer, printer.done);
}

// Whether parts of a step are shown instead of its speed.
bool print_parts(const Options& options, Subject& subject) {
  if (options.layers) print_layers(options, subject);
  if (options.kernels) print_kernels(options, subject);
  return options.layers || options.kernels;
}

kernels::MemoryUse memory_on(Device device) {
  return on(device, [](auto tag) { return kernels::memory_use(tag); });
}

// The row of a subject. "memory": the most bytes of tensors, beyond the data set and the
// parameters, that training took; right for the first subject of a process, whose peak it is.
bench::Json measured(const Options& options, Subject& subject) {
  const Examples training = drawn_examples(options.images(), subject.size, options.device());
  const std::int64_t before = memory_on(options.device()).bytes;
  Examples validation = training;
  validation.indices.resize(1);  // the trainer wants to evaluate something
  Pace pace(options);
  const std::atomic<bool> never{false};
  train(subject.model, training, validation,
        {.epochs = options.repeats + 1,
         .batch = options.batch,
         .mixup_alpha = subject.mixup_alpha,
         .early_stopping{.patience = 0}},
        pace, never);
  const Timing step = timing_of(pace.seconds_a_step);
  const Elements count = elements(subject);
  bench::Json row = bench::row_of(subject.name, step);
  row["images/s"] = static_cast<double>(options.batch) / step.seconds;
  row["GFLOP/s"] = 1e-9 * flop_per_image(subject) * row["images/s"].get<double>();
  row["batch"] = options.batch;
  row["GFLOP a step"] = 1e-9 * flop_per_image(subject) * static_cast<double>(options.batch);
  row["elements a step"] = options.batch * count.an_image + count.parameters;
  row["memory"] = memory_on(options.device()).peak_bytes - before;
  return row;
}

void print_row(const bench::Json& row, const std::optional<double>& product_rate,
               const Options& options) {
  const auto number = [&](const char* key) { return row.at(key).get<double>(); };
  const std::string name = row.at("name");
  print(stdout, "{:<18} {:8.0f} images/s  +- {:4.1f} %  {:6.1f} GFLOP/s", name, number("images/s"),
        100.0 * number("noise"), number("GFLOP/s"));
  if (product_rate)
    print(stdout, ", {:.0f} % of the machine's GEMM rate",
          1e11 * number("GFLOP/s") / *product_rate);
  if (name == "standard" && options.device() == Device::cpu) {
    const double vendor = vendor_rate(options.batch);
    print(stdout, ", {:.0f} % of the {:.1f} GFLOP/s at which oneDNN alone does its convolutions",
          1e11 * number("GFLOP/s") / vendor, 1e-9 * vendor);
  }
  print(stdout, "\n");
  std::fflush(stdout);
}

void run(const Options& options, std::span<const char* const> arguments) {
  options.apply();
  bench::Record record("bench_training", arguments, options.device(), options.json);
  if (!options.network.empty()) {
    Subject subject = network_subject(options);
    if (print_parts(options, subject)) return;
    const bench::Json row = measured(options, subject);
    record.add_row(row);
    return print_row(row, {}, options);
  }
  std::optional<double> product_rate;
  for (const std::string& name : options.systems) {
    Subject subject = system_subject(name, options);
    if (print_parts(options, subject)) continue;
    if (!product_rate) {
      product_rate = bench::product_rate(options.device());
      record.add_condition("product, GFLOP/s", 1e-9 * *product_rate);
      print(stdout, "GEMM rate of this machine: {:.1f} GFLOP/s\n", 1e-9 * *product_rate);
    }
    const bench::Json row = measured(options, subject);
    record.add_row(row);
    print_row(row, product_rate, options);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Training speed of the eight systems, images/s");
  for (const System& system : systems()) options.systems.emplace_back(system.name);
  app.add_option("--system", options.systems, "which ones; all by default")
      ->check(CLI::IsMember(options.systems));
  app.add_option("--network", options.network, "instead: a network of a given size")
      ->check(CLI::IsMember({"conv", "deform"}));
  for (const auto& [option, value, help] :
       {std::tuple("--batch", &options.batch, "images a step"),
        std::tuple("--size", &options.size, "height and width of the network's images"),
        std::tuple("--channels", &options.channels, "of the network's convolutions")}) {
    app.add_option(option, *value, help)->check(CLI::PositiveNumber)->capture_default_str();
  }
  app.add_option("--steps", options.steps, "steps a repeat")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--repeats", options.repeats, "the median of these counts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--layers", options.layers, "where the time of a step goes, layer by layer");
  CLI::Option* const kernels =
      app.add_flag("--kernels", options.kernels, "on cuda: what the device is asked for in a step");
  CLI::Option* const bf16 =
      app.add_flag("--bf16", options.bf16, "on cuda: the model in bf16, its weights moved in f32");
  options.add_to(app);
  kernels->needs("--device");
  bf16->needs("--device");
  CLI11_PARSE(app, argc, argv);
  try {
    run(options, std::span<const char* const>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    print(stderr, "bench_training: {}\n", error.what());
    return 1;
  }
}
