// Networks whose size can be varied, to see how the cost of a training step grows.
#pragma once

#include <string_view>

#include "layers/module.h"

namespace drape::bench {

/// "conv": two 3x3 convolutions, of one channel and of `channels`, pooling by two, one linear layer
/// of ten outputs, on images of size x size pixels. "deform": the same with deformable ones. Error
/// for another name.
Sequential growing_network(std::string_view name, std::int64_t size, std::int64_t channels);

}  // namespace drape::bench
