// How probable a model takes each class to be, image by image.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/png.h"
#include "models/saved.h"

namespace drape {

/// Of each of `count` images, of which `image` makes number i, the logarithm of every class's
/// probability: log softmax of its logits. Error: what logits_of says.
std::vector<std::vector<double>> log_probabilities(
    SavedModel& model, std::int64_t count, const std::function<GreyImage(std::int64_t i)>& image);

}  // namespace drape
