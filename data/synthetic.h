// Drawn stand-ins for Fashion-MNIST: the same ten classes and format, for work without the data
// set.
#pragma once

#include <cstdint>

#include "data/fashion_mnist.h"

namespace drape {

/// Balanced drawings of 28x28 pixels: silhouettes of the ten garments in varied shape, pose,
/// texture and noise. T-shirt, pullover, coat and shirt overlap on purpose. Image i has label i %
/// 10 and depends on the seed and i alone, so that a longer set begins with the shorter one. Error:
/// a count below 1 or above 2^31 - 1.
DataSet synthetic_garments(std::uint64_t seed, std::int64_t train_count, std::int64_t test_count);

}  // namespace drape
