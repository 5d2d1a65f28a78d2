// Dense convolution of one-channel images on the CPU: the first layer on grey pictures. A GEMM over
// nine-element patches would spend its time on unfolding; here every weight vector stays in
// registers and pixels are broadcast.
#pragma once

#include "kernels/conv2d.h"

namespace drape::kernels {

/// conv2d_forward for C = 1.
void conv2d_one_channel_forward(const Conv2dGeometry& geometry, const float* x, const float* w,
                                const float* b, const Conv2dOutput<float>& out);

/// dw and db of conv2d_backward for C = 1.
void conv2d_one_channel_backward(const Conv2dGeometry& geometry, const float* x,
                                 const Conv2dOutput<const float>& out, const float* dy,
                                 const Conv2dGradients<float>& d);

}  // namespace drape::kernels
