// Training images drawn anew in every epoch: mirrored, moved, with a rectangle erased.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "kernels/gather_batch.h"

namespace drape {

enum class Mirroring { none, half };  // half: left and right change places in every other image

struct AugmentationOptions {
  int shift = 0;  // pixels: moved down and right by -shift ... shift, each uniformly
  Mirroring mirroring = Mirroring::none;
  double erase = 0.0;  // probability that a rectangle is erased

  bool on() const { return shift > 0 || mirroring != Mirroring::none || erase > 0.0; }
  bool operator==(const AugmentationOptions&) const = default;
};

/// Error: a negative shift, a probability outside [0, 1].
void validate(const AugmentationOptions& options);

/// Draws for `count` images of height x width, from one stream of `random`. The rectangle: Zhong et
/// al. 2017 (arXiv:1708.04896), algorithm 1, with an area of 2 to 33 % of the image's and a height
/// of 0.3 to 3.3 times the width, uniform in its logarithm, black, as in torchvision; where ten
/// draws do not fit, none. Error: options that make no sense, a shift of the whole image or more,
/// an image of more than 32767 pixels a side.
std::vector<kernels::Augmentation> draw_augmentations(const AugmentationOptions& options,
                                                      Generator& random, std::int64_t count,
                                                      std::int64_t height, std::int64_t width);

}  // namespace drape
