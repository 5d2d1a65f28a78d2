// Dense convolution of few channels to few filters on tensor cores, by the tiles of deformable
// convolution without its offsets: one launch where the vendor's library takes up to four, with
// bias, activation and pooling on the way out. For TF32 and bf16.
#pragma once

#include "kernels/conv2d.h"
#include "kernels/tensor_tile.cuh"

namespace drape::kernels {

/// Whether conv2d_tiles_... are to be taken for this type and geometry.
template <class T>
bool conv2d_fits_tiles(Cuda cuda, const Conv2dGeometry& g) {
  constexpr std::int64_t kFew = 64;
  return uses_tensor_cores<T>(cuda) && g.groups == 1 && g.C <= kFew && g.K <= kFew &&
         g.N * g.H * g.W < std::int64_t{1} << 31 && g.N * g.P * g.Q < std::int64_t{1} << 31;
}

/// conv2d_forward.
template <class T>
void conv2d_tiles_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w, const T* b,
                          const Conv2dOutput<T>& out);

/// dx from dz; of stride 1.
template <class T>
void conv2d_tiles_backward_data(Cuda cuda, const Conv2dGeometry& g, const T* w, const T* dz, T* dx);

/// dw, and db unless that is null, from dz.
template <class T>
void conv2d_tiles_backward_filter(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* dz,
                                  T* dw, T* db);

}  // namespace drape::kernels
