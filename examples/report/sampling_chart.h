// Pictures of what a network has learned, over or made of pixels.
#pragma once

#include <string_view>

#include "examples/pictures.h"
#include "examples/report/markup.h"
#include "models/systems.h"

namespace drape {

/// The sampling points of one output pixel over the image, and what the image is.
void draw_sampling_points(Markup& page, const System& system, const SamplingPicture& picture,
                          std::string_view label);

/// The filters of a first layer, side by side.
void draw_filter_mosaic(Markup& page, const System& system, const FilterPicture& filters);

}  // namespace drape
