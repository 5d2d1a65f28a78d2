#include "examples/evaluation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/print.h"
#include "examples/fields.h"
#include "examples/fraction.h"
#include "examples/probabilities.h"
#include "examples/report/svg.h"

namespace drape {
namespace {

// Adds images up, one by one.
class Tally {
 public:
  explicit Tally(std::size_t classes) {
    figures_.confusion.assign(classes, std::vector<std::int64_t>(classes));
  }

  void add(std::int64_t label, const std::vector<double>& log_probability) {
    const auto best = std::ranges::max_element(log_probability) - log_probability.begin();
    const double confidence = std::exp(log_probability[static_cast<std::size_t>(best)]);
    const bool right = best == label;
    const auto bin = std::min(static_cast<std::size_t>(confidence * kBins), bins_.size() - 1);
    bins_[bin].confidence += confidence;
    bins_[bin].right += right ? 1.0 : 0.0;
    figures_.loss -= log_probability[static_cast<std::size_t>(label)];
    ++figures_.confusion[static_cast<std::size_t>(label)][static_cast<std::size_t>(best)];
    if (!right) figures_.mistakes.push_back({figures_.images, label, best, confidence});
    ++figures_.images;
  }

  ModelFigures figures() && {
    const auto images = static_cast<double>(figures_.images);
    figures_.loss /= images;
    figures_.accuracy = 1.0 - static_cast<double>(figures_.mistakes.size()) / images;
    for (const Bin& bin : bins_)
      figures_.calibration_error += std::abs(bin.right - bin.confidence) / images;
    for (std::size_t c = 0; c < figures_.confusion.size(); ++c)
      figures_.classes.push_back(figures_of(c));
    std::ranges::stable_sort(figures_.mistakes, std::greater(), &Mistake::probability);
    return std::move(figures_);
  }

 private:
  static constexpr double kBins = 15.0;
  struct Bin {
    double right = 0.0, confidence = 0.0;  // sums
  };

  ClassFigures figures_of(std::size_t c) const {
    ClassFigures figures;
    std::int64_t taken = 0;
    for (std::size_t other = 0; other < figures_.confusion.size(); ++other) {
      figures.images += figures_.confusion[c][other];
      taken += figures_.confusion[other][c];
    }
    const std::int64_t right = figures_.confusion[c][c];
    figures.precision = fraction(right, taken);
    figures.recall = fraction(right, figures.images);
    figures.f1 = fraction(2 * right, taken + figures.images);
    return figures;
  }

  ModelFigures figures_;
  std::array<Bin, static_cast<std::size_t>(kBins)> bins_{};
};

}  // namespace

GreyImage image_of(const LabelledImages& images, std::int64_t number) {
  const std::int64_t size = images.height * images.width;
  const auto first = images.pixels.begin() + number * size;
  return {images.height, images.width, {first, first + size}};
}

ModelFigures evaluate_model(SavedModel& model, const LabelledImages& images) {
  DRAPE_CHECK(images.size() > 0, "evaluate: expected at least one image, got none");
  const auto rows =
      log_probabilities(model, images.size(), [&](std::int64_t i) { return image_of(images, i); });
  Tally tally(model.classes.size());
  for (std::size_t i = 0; i < rows.size(); ++i) tally.add(images.labels[i], rows[i]);
  return std::move(tally).figures();
}

std::string text_of(const ModelFigures& figures, const std::vector<std::string>& names) {
  std::string text = fmt::format(
      "{} images: accuracy {:.2f} %, cross-entropy {:.4f}, calibration error {:.2f} %\n\n",
      figures.images, 100.0 * figures.accuracy, figures.loss, 100.0 * figures.calibration_error);
  text += fmt::format("{:<14}{:>8}{:>11}{:>8}{:>8}  taken for\n", "class", "images", "precision",
                      "recall", "F1");
  for (std::size_t c = 0; c < figures.classes.size(); ++c) {
    const ClassFigures& one = figures.classes[c];
    text += fmt::format("{:<14}{:>8}{:>9.2f} %{:>6.2f} %{:>6.2f} %", printable(names[c]),
                        one.images, 100.0 * one.precision, 100.0 * one.recall, 100.0 * one.f1);
    const std::vector<std::int64_t>& row = figures.confusion[c];
    std::size_t worst = c == 0 ? 1 : 0;
    for (std::size_t other = 0; other < row.size(); ++other)
      if (other != c && row[other] > row[worst]) worst = other;
    if (worst < row.size() && row[worst] > 0)
      text += fmt::format("  {} ({})", printable(names[worst]), row[worst]);
    text += '\n';
  }
  return text;
}

std::string json_of(const ModelFigures& figures, const std::vector<std::string>& names) {
  using Json = nlohmann::ordered_json;
  Json classes = Json::array(), mistakes = Json::array();
  for (std::size_t c = 0; c < figures.classes.size(); ++c) {
    const ClassFigures& one = figures.classes[c];
    classes.push_back({{"name", names[c]},
                       {"images", one.images},
                       {"precision", one.precision},
                       {"recall", one.recall},
                       {"f1", one.f1}});
  }
  for (const Mistake& one : figures.mistakes) {
    mistakes.push_back({{"image", one.image},
                        {"label", one.label},
                        {"prediction", one.prediction},
                        {"probability", one.probability}});
  }
  return file_text({{"images", figures.images},
                    {"accuracy", figures.accuracy},
                    {"cross_entropy", figures.loss},
                    {"calibration_error", figures.calibration_error},
                    {"classes", classes},
                    {"confusion", figures.confusion},
                    {"mistakes", mistakes}});
}

std::string picture_of(const std::vector<Mistake>& mistakes, const LabelledImages& images,
                       const std::vector<std::string>& names, std::size_t count) {
  constexpr double kSide = 112.0, kWidth = 132.0, kHeight = 164.0;
  constexpr std::size_t kColumns = 6;
  const std::size_t shown = std::min(count, mistakes.size());
  const std::size_t columns = std::clamp<std::size_t>(shown, 1, kColumns);
  const std::size_t rows = std::max<std::size_t>((shown + kColumns - 1) / kColumns, 1);
  Markup svg;
  svg.element(
      "svg",
      {{"xmlns", "http://www.w3.org/2000/svg"},
       {"viewBox", fmt::format("0 0 {} {}", coordinate(kWidth * static_cast<double>(columns)),
                               coordinate(kHeight * static_cast<double>(rows)))},
       {"font-family", "sans-serif"},
       {"font-size", "11"},
       {"text-anchor", "middle"}},
      [&] {
        svg.element("title", {}, "The mistakes that the model was surest of");
        for (std::size_t i = 0; i < shown; ++i) {
          const Mistake& one = mistakes[i];
          const double left = kWidth * static_cast<double>(i % kColumns) + (kWidth - kSide) / 2;
          const double top = kHeight * static_cast<double>(i / kColumns) + 8;
          svg.leaf("image", {{"x", left},
                             {"y", top},
                             {"width", kSide},
                             {"height", kSide},
                             {"image-rendering", "pixelated"},
                             {"href", data_uri(image_of(images, one.image))}});
          const double middle = left + kSide / 2;
          svg.element("text", {{"x", middle}, {"y", top + kSide + 14}},
                      names[static_cast<std::size_t>(one.label)]);
          svg.element("text", {{"x", middle}, {"y", top + kSide + 28}, {"fill", "#b00020"}},
                      fmt::format("{} {:.1f} %", names[static_cast<std::size_t>(one.prediction)],
                                  100.0 * one.probability));
        }
      });
  return svg.str();
}

}  // namespace drape
