// What the report shows of trained networks besides numbers: plain data, found out from the files
// of a run and the test images.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/png.h"
#include "examples/evaluation.h"
#include "examples/offset_history.h"
#include "examples/sampling.h"

namespace drape {

/// lambda * one image + (1 - lambda) * another, and their labels.
struct MixedImage {
  GreyImage image;
  double lambda = 1.0;
  std::int64_t label = 0, other_label = 0;
};

struct PicturedMistake {
  GreyImage image;
  Mistake mistake;
};

/// Where a network looks in one image for one output pixel.
struct SamplingPicture {
  GreyImage image;
  std::int64_t label = 0;
  std::string place;  // of the output pixel: "inside"
  SamplingPoints points;
};

/// The filters of a first layer that reads grey images, signed: side by side, `columns` in a row.
struct FilterPicture {
  std::int64_t count = 0, columns = 0, height = 0, width = 0;
  double largest = 0.0;  // black is -largest, white is largest
  GreyImage image;
};

struct RunPictures {
  std::string system;
  std::uint64_t seed = 0;
  FilterPicture filters;
  OffsetHistory offsets;
  std::vector<PicturedMistake> mistakes;  // the surest
  std::vector<SamplingPicture> sampling;  // by image, then by place
};

struct Pictures {
  std::vector<RunPictures> runs;  // of each system the first seed
  std::vector<MixedImage> mixed;
  std::string missing;  // why there are no images, in one sentence; empty: there are
};

/// Of the run in that folder; without `test` what needs no images. Error: a damaged file.
RunPictures picture_run(const std::filesystem::path& folder, const RunResult& run,
                        const LabelledImages* test);

/// A row of images, mixed as training mixes them with Beta(alpha, alpha).
std::vector<MixedImage> picture_mixup(const LabelledImages& images, double alpha);

}  // namespace drape
