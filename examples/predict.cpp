#include "examples/predict.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/print.h"
#include "data/fashion_mnist.h"
#include "data/images.h"
#include "examples/fields.h"
#include "examples/probabilities.h"

namespace drape {
namespace {

// The image as the network takes it: 28x28, white on black.
GreyImage prepared(const GreyImage& given, bool invert) {
  GreyImage image = resized(given, kImageSide);
  if (!invert) return image;
  for (std::uint8_t& pixel : image.pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
  return image;
}

std::vector<Prediction::Class> sorted_classes(const std::vector<double>& log_probability) {
  std::vector<Prediction::Class> classes;
  for (const double one : log_probability) classes.push_back({std::ssize(classes), std::exp(one)});
  std::ranges::stable_sort(classes, std::greater(), &Prediction::Class::probability);
  return classes;
}

std::string quoted_csv(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string csv_of(const std::vector<Prediction>& predictions,
                   const std::vector<std::string>& names) {
  std::string text = "image,rank,class,name,probability\n";
  for (const Prediction& prediction : predictions) {
    for (std::size_t i = 0; i < prediction.classes.size(); ++i) {
      const Prediction::Class& one = prediction.classes[i];
      text += fmt::format("{},{},{},{},{:.6f}\n", quoted_csv(prediction.name), i + 1, one.index,
                          quoted_csv(names[static_cast<std::size_t>(one.index)]), one.probability);
    }
  }
  return text;
}

std::string json_of(const std::vector<Prediction>& predictions,
                    const std::vector<std::string>& names) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Prediction& prediction : predictions) {
    nlohmann::ordered_json classes = nlohmann::ordered_json::array();
    for (const Prediction::Class& one : prediction.classes) {
      classes.push_back({{"class", one.index},
                         {"name", names[static_cast<std::size_t>(one.index)]},
                         {"probability", one.probability}});
    }
    all.push_back({{"image", prediction.name}, {"classes", classes}});
  }
  return file_text(all);
}

std::string table_of(const std::vector<Prediction>& predictions,
                     const std::vector<std::string>& names) {
  std::size_t width = 0;
  for (const Prediction& prediction : predictions) width = std::max(width, prediction.name.size());
  std::string text;
  for (const Prediction& prediction : predictions) {
    text += fmt::format("{:<{}}", printable(prediction.name), width);
    for (const Prediction::Class& one : prediction.classes) {
      text += fmt::format("  {:>5.1f} % {:<11}", 100.0 * one.probability,
                          printable(names[static_cast<std::size_t>(one.index)]));
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

}  // namespace

std::vector<Prediction> predict(SavedModel& model, const PredictOptions& options) {
  std::vector<NamedImage> images;
  for (const std::filesystem::path& path : options.images) {
    std::vector<NamedImage> more = read_images(path);
    std::ranges::move(more, std::back_inserter(images));
  }
  const auto rows = log_probabilities(model, std::ssize(images), [&](std::int64_t i) {
    return prepared(images[static_cast<std::size_t>(i)].image, options.invert);
  });
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<Prediction::Class> classes = sorted_classes(rows[i]);
    classes.resize(std::min(classes.size(), static_cast<std::size_t>(options.top)));
    predictions.push_back({images[i].name, std::move(classes)});
  }
  return predictions;
}

std::string text_of(const std::vector<Prediction>& predictions,
                    const std::vector<std::string>& classes, PredictionFormat format) {
  switch (format) {
    case PredictionFormat::table:
      return table_of(predictions, classes);
    case PredictionFormat::csv:
      return csv_of(predictions, classes);
    case PredictionFormat::json:
      return json_of(predictions, classes);
  }
  throw Error("predict: expected a known format");
}

}  // namespace drape
