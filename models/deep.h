// Deep CNN: the standard CNN with twice as many convolutions.
#pragma once

#include "layers/module.h"

namespace drape {

/// Four convolutions, two linear layers; 1,994,890 parameters. The study leaves open whether the
/// third and fourth convolution are followed by pooling; our reading is that they are not, and
/// 7 x 7 is kept.
///   x [N,28,28,1] in [0,1]   logits [N,10]
Sequential deep_cnn();

}  // namespace drape
