// Dilated CNN: the standard CNN with holes in its second convolution, after Yu & Koltun 2016
// (arXiv:1511.07122), eq. (2).
#pragma once

#include "layers/module.h"

namespace drape {

/// The standard CNN whose second convolution has this dilation, and as much padding; the study
/// takes 2 (low) and 10 (high). 421,642 parameters.
///   x [N,28,28,1] in [0,1]   logits [N,10]
Sequential dilated_cnn(std::int64_t dilation);

}  // namespace drape
