// Average pooling.
//   y[n,p,q,c] = 1 / (window.y * window.x) * sum over cells r, s of x[n,h,v,c],
//   h = p*stride - padding + r,  v = q*stride - padding + s
// Padding counts as zeros, in the divisor too: PyTorch's default, count_include_pad=True.
#pragma once

#include "kernels/backend.h"
#include "kernels/pool2d.h"

namespace drape::kernels {

///   x [N,H,W,C]   y [N,P,Q,C]
template <class T>
void avg_pool2d_forward(Cpu, const Pool2dGeometry& g, const T* x, T* y);
template <class T>
void avg_pool2d_forward(Cuda, const Pool2dGeometry& g, const T* x, T* y);

/// dx[n,h,w,c] = 1 / (window.y * window.x) * sum of dy over the windows that cover the pixel.
template <class T>
void avg_pool2d_backward(Cpu, const Pool2dGeometry& g, const T* dy, T* dx);
template <class T>
void avg_pool2d_backward(Cuda, const Pool2dGeometry& g, const T* dy, T* dx);

}  // namespace drape::kernels
