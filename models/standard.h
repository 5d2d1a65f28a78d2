// Standard CNN: the study's point of departure.
#pragma once

#include "layers/module.h"

namespace drape {

/// Two convolutions with pooling, two linear layers; 421,642 parameters.
///   x [N,28,28,1] in [0,1]   logits [N,10]
Sequential standard_cnn();

}  // namespace drape
