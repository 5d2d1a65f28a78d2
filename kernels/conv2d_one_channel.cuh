// Dense convolution of one-channel images on the device: the first layer on grey pictures, where
// tensor cores would stand idle and a result's bias, activation and pooling cost more than its nine
// products.
#pragma once

#include "kernels/conv2d.h"
#include "kernels/cuda.cuh"

namespace drape::kernels {

/// conv2d_forward for C = 1, in one launch.
template <class T>
void conv2d_one_channel_forward(Cuda, const Conv2dGeometry& geometry, const T* x, const T* w,
                                const T* b, const Conv2dOutput<T>& out);

/// dw and db of conv2d_backward for C = 1, in one launch.
template <class T>
void conv2d_one_channel_backward(Cuda, const Conv2dGeometry& geometry, const T* x,
                                 const Conv2dOutput<const T>& out, const T* dy,
                                 const Conv2dGradients<T>& d);

}  // namespace drape::kernels
