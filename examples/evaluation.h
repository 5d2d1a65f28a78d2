// What `drape evaluate` finds out about a trained model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/fashion_mnist.h"
#include "data/png.h"
#include "examples/run_result.h"
#include "models/saved.h"

namespace drape {

/// How well one class is told apart. precision: of the images taken for it, the part that is it;
/// recall: of its images, the part taken for it; f1: their harmonic mean. Each 0 where nothing can
/// be divided by.
struct ClassFigures {
  std::int64_t images = 0;
  double precision = 0.0, recall = 0.0, f1 = 0.0;
};

/// An image taken for what it is not.
struct Mistake {
  std::int64_t image = 0;  // its number
  std::int64_t label = 0, prediction = 0;
  double probability = 0.0;  // of the prediction
};

struct ModelFigures {
  std::int64_t images = 0;
  double accuracy = 0.0;
  double loss = 0.0;  // mean cross-entropy
  /// sum_b |B_b| / N * |accuracy(B_b) - confidence(B_b)| over 15 equal bins of the prediction's
  /// probability: Guo et al. 2017 (arXiv:1706.04599), eq. (3).
  double calibration_error = 0.0;
  std::vector<ClassFigures> classes;
  Confusion confusion;
  std::vector<Mistake> mistakes;  // all, the most confident first
};

/// One of the images.
GreyImage image_of(const LabelledImages& images, std::int64_t number);

/// The model on these images, on the CPU.
ModelFigures evaluate_model(SavedModel& model, const LabelledImages& images);

/// The figures for people, with the names of the classes; and for programs.
std::string text_of(const ModelFigures& figures, const std::vector<std::string>& names);
std::string json_of(const ModelFigures& figures, const std::vector<std::string>& names);

/// The first `count` mistakes, drawn: an SVG that stands alone.
std::string picture_of(const std::vector<Mistake>& mistakes, const LabelledImages& images,
                       const std::vector<std::string>& names, std::size_t count);

}  // namespace drape
