// Dense 2-D convolution (cross-correlation, as the field uses the word), NHWC:
//   y[n,p,q,k] = act(b[k] + sum_{r,s,c} w[k,r,s,c] * x[n,h,v,c]),
//   h = p*stride - pad + r*dilation,  v = q*stride - pad + s*dilation,
// with x zero outside the image. With groups, filter k of group g sees the C/groups channels of
// that group.
//   x [N,H,W,C]   w [K,R,S,C/groups]   b [K] or null   y [N,P,Q,K]
#pragma once

#include <type_traits>

#include "kernels/activation.h"
#include "kernels/backend.h"
#include "kernels/geometry.h"

namespace drape::kernels {

/// `cell` of a window whose gradient goes nowhere: ReLU made its largest value 0.
inline constexpr int kNoCell = 4;

/// What becomes of a convolution's z. Without `cell`, y [N,P,Q,K] = act(z). With it, y
/// [N,P/2,Q/2,K] is the largest act(z) of each 2x2 window, as in max_pool2d.h, and cell, of the
/// same shape, tells which of the four in scan order that is, or kNoCell.
template <class T>
struct Conv2dOutput {
  Activation activation = Activation::none;
  T* y = nullptr;
  std::conditional_t<std::is_const_v<T>, const std::uint8_t, std::uint8_t>* cell = nullptr;

  /// Elements of y of one image.
  std::int64_t image(const Conv2dGeometry& g) const {
    return cell == nullptr ? g.y_image() : g.pooled_image();
  }
  /// What belongs to image n.
  Conv2dOutput of_image(const Conv2dGeometry& g, std::int64_t n) const {
    const std::int64_t first = n * image(g);
    return {activation, y == nullptr ? y : y + first, cell == nullptr ? cell : cell + first};
  }
};

/// Each may be null where it is not needed.
template <class T>
struct Conv2dGradients {
  T *dx = nullptr, *dw = nullptr, *db = nullptr;
};

/// f32: 3x3 filters by Winograd's algorithm where that pays, images of one channel and of two to
/// four by kernels of their own, the rest by image patches unfolded into cache-sized tiles;
/// oneDNN's GEMM does the products. f64: a plain loop over the formula, the specification that
/// everything else is compared with.
template <class T>
void conv2d_forward(Cpu, const Conv2dGeometry& geometry, const T* x, const T* w, const T* b,
                    const Conv2dOutput<T>& out);
template <class T>
void conv2d_forward(Cuda, const Conv2dGeometry& geometry, const T* x, const T* w, const T* b,
                    const Conv2dOutput<T>& out);

/// Gradients from dy, which has the shape of y. y is read for the activation's derivative only, and
/// not where cell tells it. The same bits for any number of threads.
template <class T>
void conv2d_backward(Cpu, const Conv2dGeometry& geometry, const T* x, const T* w,
                     const Conv2dOutput<const T>& out, const T* dy, const Conv2dGradients<T>& d);
template <class T>
void conv2d_backward(Cuda, const Conv2dGeometry& geometry, const T* x, const T* w,
                     const Conv2dOutput<const T>& out, const T* dy, const Conv2dGradients<T>& d);

}  // namespace drape::kernels
