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

/// What a sampling point's gradients are made of: ds = dL/d(sample) times the value a of the first
/// corner, and times the differences between corners, summed over channels.
template <class Real>
struct PointSums {
  Real first{}, left{}, right{}, top{};  // a; c - a and d - b, downwards; b - a, to the right

  /// Adds `size` channels of the image, from one on; ds is theirs.
  template <int size, class T>
  __device__ void add(const Problem<T>& p, const SamplingPoint<T>& point, const T* image,
                      int channel, const Pack<Real, size>& ds) {
    Pack<T, size> corners[4];
    for (int i = 0; i < 4; ++i) corners[i] = point.template values<size>(p, image, i, channel);
    for (int j = 0; j < size; ++j) {
      const auto value = [&](int i) { return static_cast<Real>(corners[i].value[j]); };
      const Real a = value(0), b = value(1), c = value(2), d = value(3);
      first += ds.value[j] * a;
      left += ds.value[j] * (c - a);
      right += ds.value[j] * (d - b);
      top += ds.value[j] * (b - a);
    }
  }

  /// The derivatives of the point's value by y, x and mask.
  template <class T>
  __device__ void write(const PointGradients<Real>& out, std::int64_t j,
                        const SamplingPoint<T>& point) const {
    const Real fy = point.fy, fx = point.fx, twist = right - left;  // a - b - c + d
    if (out.d_offset != nullptr) {
      out.d_offset[2 * j] = point.mask * (left + fx * twist);
      out.d_offset[2 * j + 1] = point.mask * (top + fy * twist);
    }
    if (out.d_mask != nullptr) out.d_mask[j] = first + fy * left + fx * (top + fy * twist);
  }
};

/// d_offset, d_mask and dx (or null) from dz [N,P,Q,K].
template <class T>
void deform_point_gradients(Cuda cuda, const Problem<T>& p, const T* dz,
                            PointGradients<Accumulator<T>> out, T* dx);

/// dw, and db unless that is null, from dz [N,P,Q,K].
template <class T>
void deform_weight_gradient(Cuda cuda, const Problem<T>& p, const T* dz, T* dw, T* db);

}  // namespace drape::kernels
