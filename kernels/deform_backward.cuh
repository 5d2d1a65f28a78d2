// The two halves of deformable convolution's backward, from dz = dL/d(result before activation).
#pragma once

#include "kernels/deform_sampling.cuh"

namespace drape::kernels {

/// Where the gradients of sampling points go, null if nowhere. Partial sums per slice of an offset
/// group's channels lie `distance` points apart.
template <class Real>
struct PointGradients {
  Real *d_offset = nullptr, *d_mask = nullptr;
  std::int64_t distance = 0;

  DRAPE_HOST_DEVICE bool wanted() const { return d_offset != nullptr || d_mask != nullptr; }
};

/// d_offset, d_mask and dx (or null) from dz [N,P,Q,K].
template <class T>
void deform_point_gradients(Cuda cuda, const Problem<T>& p, const T* dz,
                            PointGradients<Accumulator<T>> out, T* dx);

/// dw from dz [N,P,Q,K].
template <class T>
void deform_weight_gradient(Cuda cuda, const Problem<T>& p, const T* dz, T* dw);

}  // namespace drape::kernels
