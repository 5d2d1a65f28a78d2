// 3x3 convolution of stride 1 by Winograd's minimal filtering F(4x4, 3x3): outputs are computed in
// tiles of 4x4, with 36 products per pair of channel and filter where the formula takes 144.
// Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", arXiv:1509.09308.
//
// With d a tile of input (6x6), g a filter, y a tile of output:
//   y = A^T [(G g G^T) * (B^T d B)] A        "*" elementwise, summed over the input's channels
// The 36 elementwise products of all tiles are 36 matrix products, of tiles x channels by channels
// x filters. The gradients are the exact transposes of the same three linear maps.
#pragma once

#include "kernels/conv2d.h"

namespace drape::kernels {

/// Whether this convolution can be computed so, and gains by it: 3x3, stride 1, one group, channels
/// a multiple of 8, filters 8 or more, and outputs that fill enough tiles. Any dilation: the
/// outputs of a tile lie as far apart as the taps; pooling needs them side by side.
bool winograd_pays(const Conv2dGeometry& geometry);

/// As conv2d_forward. In f32 the largest error is two to three times that of summing the formula.
void conv2d_winograd_forward(const Conv2dGeometry& geometry, const float* x, const float* w,
                             const float* b, const Conv2dOutput<float>& out);

/// As conv2d_backward.
void conv2d_winograd_backward(const Conv2dGeometry& geometry, const float* x, const float* w,
                              const Conv2dOutput<const float>& out, const float* dy,
                              const Conv2dGradients<float>& d);

}  // namespace drape::kernels
