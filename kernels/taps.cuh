// Where the taps of an output pixel lie in its image, in 32 bits.
#pragma once

#include "kernels/cuda.cuh"
#include "kernels/geometry.h"

namespace drape::kernels {

struct Taps {
  int H, W, R, S;
  unsigned stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;

  explicit Taps(const Conv2dGeometry& g)
      : H(static_cast<int>(g.H)),
        W(static_cast<int>(g.W)),
        R(static_cast<int>(g.R)),
        S(static_cast<int>(g.S)),
        stride_y(static_cast<unsigned>(g.stride.y)),
        stride_x(static_cast<unsigned>(g.stride.x)),
        padding_y(static_cast<unsigned>(g.padding.y)),
        padding_x(static_cast<unsigned>(g.padding.x)),
        dilation_y(static_cast<unsigned>(g.dilation.y)),
        dilation_x(static_cast<unsigned>(g.dilation.x)) {}

  /// p * stride - padding + r * dilation; on the way there 32 bits may overflow, in the end not.
  __device__ int y(int p, int r) const {
    return static_cast<int>(static_cast<unsigned>(p) * stride_y - padding_y +
                            static_cast<unsigned>(r) * dilation_y);
  }
  __device__ int x(int q, int s) const {
    return static_cast<int>(static_cast<unsigned>(q) * stride_x - padding_x +
                            static_cast<unsigned>(s) * dilation_x);
  }
  __device__ bool inside(int h, int v) const {
    return static_cast<unsigned>(h) < static_cast<unsigned>(H) &&
           static_cast<unsigned>(v) < static_cast<unsigned>(W);
  }
};

}  // namespace drape::kernels
