// What `drape predict` does: images in, classes and probabilities out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/saved.h"

namespace drape {

enum class PredictionFormat { table, csv, json };

struct PredictOptions {
  std::vector<std::filesystem::path> images{};
  PredictionFormat format = PredictionFormat::table;
  int top = 3;          // classes shown of each image
  bool invert = false;  // black on white, as on paper
};

/// An image's classes, the most probable first.
struct Prediction {
  std::string name;
  struct Class {
    std::int64_t index;
    double probability;
  };
  std::vector<Class> classes;
};

/// Classifies the images that the options name. Error: what read_images says.
std::vector<Prediction> predict(SavedModel& model, const PredictOptions& options);

/// The predictions as text of a format.
std::string text_of(const std::vector<Prediction>& predictions,
                    const std::vector<std::string>& classes, PredictionFormat format);

}  // namespace drape
