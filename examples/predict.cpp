#include "examples/predict.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "core/print.h"
#include "data/fashion_mnist.h"
#include "data/images.h"

namespace drape {
namespace {

constexpr std::size_t kAtOnce = 500;

// The images as the network takes them: 28x28, white on black.
std::vector<GreyImage> prepared(std::span<const NamedImage> images, bool invert) {
  std::vector<GreyImage> all;
  for (const NamedImage& named : images) {
    GreyImage& image = all.emplace_back(resized(named.image, kImageSide));
    if (!invert) continue;
    for (std::uint8_t& pixel : image.pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
  }
  return all;
}

// softmax of a row of logits, sorted.
std::vector<Prediction::Class> sorted_classes(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  std::vector<Prediction::Class> classes;
  double sum = 0.0;
  for (const float logit : logits) {
    classes.push_back({std::ssize(classes), std::exp(logit - largest)});
    sum += classes.back().probability;
  }
  for (Prediction::Class& one : classes) one.probability /= sum;
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
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
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
  std::vector<Prediction> predictions;
  for (std::size_t begin = 0; begin < images.size(); begin += kAtOnce) {
    const auto batch = std::span(images).subspan(begin, std::min(kAtOnce, images.size() - begin));
    const std::vector<float> logits = logits_of(model, batch_of(prepared(batch, options.invert)));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto classes =
          sorted_classes(std::span(logits).subspan(i * model.classes.size(), model.classes.size()));
      classes.resize(std::min(classes.size(), static_cast<std::size_t>(options.top)));
      predictions.push_back({batch[i].name, std::move(classes)});
    }
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
