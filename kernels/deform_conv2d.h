// Deformable convolution, Dai et al. 2017 (arXiv:1703.06211), eq. (2), with the mask of Zhu et al.
// 2019 (arXiv:1811.11168), eq. (1):
//   y[n,p,q,k] = act(b[k] + sum_{r,s,c} w[k,r,s,c] * mask[n,p,q,rs] * x[n,h,v,c]),
//   h = p*stride - pad + r*dilation + dy,  v = q*stride - pad + s*dilation + dx,
// with (dy, dx) = offset[n,p,q,rs] in input pixels, y first; tap rs is r*S + s. x between pixels is
// bilinear, outside the image zero. Channel c belongs to offset group c / (C/G) and, with weight
// groups, is seen by filters of its group alone.
//   x [N,H,W,C]   offset [N,P,Q,G,R,S,2]   mask [N,P,Q,G,R,S] or null
//   w [K,R,S,C/groups]   b [K] or null   y [N,P,Q,K]
#pragma once

#include "kernels/bfloat16.h"
#include "kernels/conv2d.h"

namespace drape::kernels {

struct DeformConv2dGeometry {
  Conv2dGeometry conv;
  std::int64_t offset_groups;

  std::int64_t taps() const { return conv.R * conv.S; }
  /// Sampling points of one output pixel.
  std::int64_t points() const { return offset_groups * taps(); }
};

/// Offsets and mask are never in less than f32.
template <class T>
struct DeformConv2dInputs {
  const T* x;
  const Accumulator<T>*offset, *mask;
  const T *w, *b;
};

/// Where gradients go; null where one is not needed.
template <class T>
struct DeformConv2dGradients {
  T* dx;
  Accumulator<T>*d_offset, *d_mask;
  T *dw, *db;
};

/// f32: one sampling plan per pixel, offset group and tap, shared by all channels; tiles of sampled
/// patches that stay in cache; oneDNN's GEMM on each. f64: a plain loop over the formula, the
/// specification. A batch of n gives the bits of n batches of one.
template <class T>
void deform_conv2d_forward(Cpu, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<T>& in, const Conv2dOutput<T>& out);
template <class T>
void deform_conv2d_forward(Cuda, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<T>& in, const Conv2dOutput<T>& out);

/// Gradients from dy, which has the shape of forward's y, and from y or cell. The same bits for any
/// number of threads.
template <class T>
void deform_conv2d_backward(Cpu, const DeformConv2dGeometry& geometry,
                            const DeformConv2dInputs<T>& in, const Conv2dOutput<const T>& out,
                            const T* dy, const DeformConv2dGradients<T>& d);
template <class T>
void deform_conv2d_backward(Cuda, const DeformConv2dGeometry& geometry,
                            const DeformConv2dInputs<T>& in, const Conv2dOutput<const T>& out,
                            const T* dy, const DeformConv2dGradients<T>& d);

}  // namespace drape::kernels
