// Dense convolution through cuDNN.
#pragma once

#include "kernels/conv2d.h"
#include "kernels/cuda.cuh"

namespace drape::kernels {

/// The products of a convolution without bias and activation: z of x and w, dx of w and dz, dw of x
/// and dz. False, and nothing done, where cuDNN has no algorithm of modest workspace that gives the
/// same bits every time; in f64, and of tensors of 2^31 elements and more, it is not asked.
///   x, dx [N,H,W,C]   w, dw [K,R,S,C/groups]   z, dz [N,P,Q,K]
template <class T>
bool cudnn_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w, T* z);
template <class T>
bool cudnn_backward_data(Cuda cuda, const Conv2dGeometry& g, const T* w, const T* dz, T* dx);
template <class T>
bool cudnn_backward_filter(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* dz, T* dw);

}  // namespace drape::kernels
