// Convolution of images of two to four channels, such as RGB: no patches are unfolded, a product
// reads the image's rows where they lie.
#pragma once

#include "kernels/conv2d.h"

namespace drape::kernels {

/// Whether conv2d_few_channels_forward() can: 2 to 4 channels in one group, neighbouring pixels
/// along a row.
bool has_few_channels(const Conv2dGeometry& geometry);

/// y = act(z) for f32, without pooling. The same bits for any number of threads.
void conv2d_few_channels_forward(const Conv2dGeometry& geometry, const float* x, const float* w,
                                 const float* b, Activation activation, float* y);

}  // namespace drape::kernels
