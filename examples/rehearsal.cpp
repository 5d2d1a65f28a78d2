#include "examples/rehearsal.h"

#include <algorithm>
#include <span>

#include "examples/first_batch.h"
#include "examples/report/text.h"
#include "optim/learning_rate_search.h"
#include "optim/profile.h"

namespace drape {
namespace {

constexpr int kRepeats = 7;         // of what is timed
constexpr std::size_t kLines = 25;  // of losses
constexpr double kBarWidth = 40.0;

// One row of the table.
std::string row(std::string_view name, const std::string& output, std::int64_t bytes,
                std::int64_t parameters, std::int64_t multiply_adds, const PartSeconds& seconds) {
  return fmt::format("{:<12} {:<16} {:>9.2f} {:>12} {:>14} {:>9.2f} {:>9.2f}\n", name, output,
                     static_cast<double>(bytes) / (1 << 20), grouped_digits(parameters),
                     grouped_digits(multiply_adds), 1e3 * seconds.forward, 1e3 * seconds.backward);
}

}  // namespace

std::string rehearse(const Experiment& experiment, const StoredData& data) {
  Sequential model = initial_model(experiment, data.train_images.device());
  const Selection selection = select_examples(data, experiment.protocol, experiment.training.seed);
  const Batch batch = first_batch(selection.training, experiment.training.batch, model);
  const std::vector<PartSeconds> parts = time_parts(model, batch, kRepeats);
  std::string text = fmt::format("{:<12} {:<16} {:>9} {:>12} {:>14} {:>9} {:>9}\n", "layer",
                                 "output", "MiB", "parameters", "multiply-adds", "ms", "ms back");
  Shape shape = batch.x.shape();
  const std::int64_t images = shape[0];
  PartSeconds total{.name = "a step"};
  std::int64_t bytes = 0, parameters = 0, multiply_adds = 0;
  auto part = parts.begin();
  model.each([&](const std::string& name, Module& layer) {
    const std::int64_t work = layer.multiply_adds(shape) / images;
    shape = layer.output_shape(shape);
    const std::int64_t held = shape.size() * size_of(batch.x.dtype());
    text += row(name, shape.to_string(), held, layer.parameter_count(), work, *part++);
    bytes += held;
    parameters += layer.parameter_count();
    multiply_adds += work;
  });
  for (; part != parts.end(); ++part) text += row(part->name, "", 0, 0, 0, *part);
  for (const PartSeconds& one : parts) {
    total.forward += one.forward;
    total.backward += one.backward;
  }
  text += row(total.name, "", bytes, parameters, multiply_adds, total);
  const auto steps = Batches(selection.training.indices, experiment.training.batch).size();
  const double seconds = static_cast<double>(steps) * (total.forward + total.backward);
  return text + fmt::format("epochs: at most {}, each {} steps, about {:.1f} s\n",
                            experiment.training.epochs, steps, seconds);
}

std::string find_rate(const Experiment& experiment, const StoredData& data,
                      const std::atomic<bool>& interrupted) {
  Sequential model = initial_model(experiment, data.train_images.device());
  const Selection selection = select_examples(data, experiment.protocol, experiment.training.seed);
  const RateFinding finding =
      search_learning_rate(model, selection.training, experiment.training, {}, interrupted);
  const std::vector<RateTrial>& trials = finding.trials;
  if (trials.empty()) return "";
  const auto lowest = std::ranges::min_element(trials, {}, &RateTrial::smoothed);
  // Losses after the lowest one grow without bound: they do not set the scale.
  const double most =
      std::ranges::max(std::span(trials.begin(), lowest + 1), {}, &RateTrial::smoothed).smoothed;
  const std::size_t stride = std::max<std::size_t>(1, trials.size() / kLines);
  std::string text = "learning rate   loss, smoothed\n";
  for (std::size_t i = 0; i < trials.size(); i += stride) {
    const auto width =
        static_cast<std::size_t>(kBarWidth * std::min(1.0, trials[i].smoothed / most));
    text += fmt::format("{:13.2e}   {:8.4f} {}\n", trials[i].rate, trials[i].smoothed,
                        std::string(width, '#'));
  }
  if (interrupted) return text + "interrupted: which rate is best is not known yet\n";
  if (finding.steepest == 0.0) return text + "the loss never fell\n";
  return text + fmt::format("the loss falls fastest at {:.1e}: try --lr {:.0e}\n", finding.steepest,
                            finding.steepest);
}

}  // namespace drape
