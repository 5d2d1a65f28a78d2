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

/// What a sampling point's gradients are made of: the derivatives of its value by y, x and mask,
/// times ds = dL/d(sample), summed over channels.
template <class Real>
struct PointSums {
  Real dy{}, dx{}, value{};

  /// Adds `size` channels of the image, from channel c on; ds is theirs.
  template <int size, class T>
  __device__ void add(const Problem<T>& p, const SamplingPoint<T>& point, const T* image,
                      int channel, const Real* ds) {
    Pack<T, size> v[4];
    for (int i = 0; i < 4; ++i) v[i] = point.template values<size>(p, image, i, channel);
    for (int j = 0; j < size; ++j) {
      const Real a = static_cast<Real>(v[0].value[j]), b = static_cast<Real>(v[1].value[j]);
      const Real c = static_cast<Real>(v[2].value[j]), d = static_cast<Real>(v[3].value[j]);
      dy += ds[j] * bilinear_dy(a, b, c, d, point.fx);
      dx += ds[j] * bilinear_dx(a, b, c, d, point.fy);
      value += ds[j] * bilinear_value(a, b, c, d, point.fy, point.fx);
    }
  }

  __device__ void write(const PointGradients<Real>& out, std::int64_t j, Real mask) const {
    if (out.d_offset != nullptr) {
      out.d_offset[2 * j] = mask * dy;
      out.d_offset[2 * j + 1] = mask * dx;
    }
    if (out.d_mask != nullptr) out.d_mask[j] = value;
  }
};

/// d_offset, d_mask and dx (or null) from dz [N,P,Q,K].
template <class T>
void deform_point_gradients(Cuda cuda, const Problem<T>& p, const T* dz,
                            PointGradients<Accumulator<T>> out, T* dx);

/// dw from dz [N,P,Q,K].
template <class T>
void deform_weight_gradient(Cuda cuda, const Problem<T>& p, const T* dz, T* dw);

}  // namespace drape::kernels
