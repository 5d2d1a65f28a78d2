// Deformable CNN: the standard CNN with deformable convolutions, Dai et al. 2017
// (arXiv:1703.06211).
#pragma once

#include "layers/module.h"

namespace drape {

/// The standard CNN whose convolutions learn where to look; their offsets start at zero, so that
/// training starts as the standard CNN. 427,024 parameters.
///   x [N,28,28,1] in [0,1]   logits [N,10]
Sequential deformable_cnn();

}  // namespace drape
