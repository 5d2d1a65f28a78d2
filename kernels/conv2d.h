// Dense 2-D convolution (cross-correlation, as the field uses the word), NHWC:
//   y[n,p,q,k] = act(b[k] + sum_{r,s,c} w[k,r,s,c] * x[n, p*stride - pad + r*dilation, q*stride -
//   pad + s*dilation, c])
// with x zero outside the image. With groups, filter k of group g sees the C/groups channels of
// that group.
//   x [N,H,W,C]   w [K,R,S,C/groups]   b [K] or null   y [N,P,Q,K]
#pragma once

#include "kernels/activation.h"
#include "kernels/backend.h"
#include "kernels/geometry.h"

namespace drape::kernels {

/// f32: 3x3 filters by Winograd's algorithm where that pays, one-channel images by a kernel of
/// their own, the rest by image patches unfolded into cache-sized tiles; oneDNN's GEMM does the
/// products. f64: a plain loop over the formula, the specification that everything else is compared
/// with.
template <class T>
void conv2d_forward(Cpu, const Conv2dGeometry& geometry, const T* x, const T* w, const T* b,
                    Activation activation, T* y);
template <class T>
void conv2d_forward(Cuda, const Conv2dGeometry& geometry, const T* x, const T* w, const T* b,
                    Activation activation, T* y);

/// Gradients from dy [N,P,Q,K]; dx, dw, db may each be null where not needed. y is forward's
/// result, read for the activation's derivative only. The same bits for any number of threads.
template <class T>
void conv2d_backward(Cpu, const Conv2dGeometry& geometry, const T* x, const T* w, const T* y,
                     const T* dy, Activation activation, T* dx, T* dw, T* db);
template <class T>
void conv2d_backward(Cuda, const Conv2dGeometry& geometry, const T* x, const T* w, const T* y,
                     const T* dy, Activation activation, T* dx, T* dw, T* db);

}  // namespace drape::kernels
