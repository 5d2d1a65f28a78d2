// Enhanced deformable CNN: the deformable CNN with batch normalisation (Ioffe & Szegedy 2015,
// arXiv:1502.03167) and dropout (Srivastava et al. 2014).
#pragma once

#include "layers/module.h"

namespace drape {

/// The deformable CNN with batch normalisation between each convolution and its ReLU, and dropout,
/// which drops with probability `dropout`, before each linear layer. 427,216 parameters.
///   x [N,28,28,1] in [0,1]   logits [N,10]
Sequential enhanced_cnn(double dropout);

}  // namespace drape
