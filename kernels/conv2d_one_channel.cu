#include "kernels/conv2d_one_channel.cuh"

#include "kernels/epilogue.cuh"

namespace drape::kernels {
namespace {

// The pixel under a tap of output (p, q) of an image; zero outside.
template <class T>
__device__ T pixel_under(const Conv2dGeometry& g, const T* image, std::int64_t p, std::int64_t q,
                         std::int64_t tap) {
  const std::int64_t h = p * g.stride.y - g.padding.y + tap / g.S * g.dilation.y;
  const std::int64_t v = q * g.stride.x - g.padding.x + tap % g.S * g.dilation.x;
  return h < 0 || h >= g.H || v < 0 || v >= g.W ? static_cast<T>(0.0f) : image[h * g.W + v];
}

// b[k] + the products of filter k with the pixels under output (p, q).
template <class T>
__device__ Accumulator<T> filtered(const Conv2dGeometry& g, const T* image, const T* w, const T* b,
                                   std::int64_t p, std::int64_t q, std::int64_t k) {
  using A = Accumulator<T>;
  const std::int64_t taps = g.R * g.S;
  A z(0);
  for (std::int64_t t = 0; t < taps; ++t) {
    z += static_cast<A>(pixel_under(g, image, p, q, t)) * static_cast<A>(w[k * taps + t]);
  }
  return b == nullptr ? z : z + static_cast<A>(b[k]);
}

// What a filter's gradient sums up: the products of dz with the pixels under some taps, and dz.
constexpr std::int64_t kTaps = 9;
template <class A>
struct TapSums {
  A tap[kTaps] = {}, dz{};
  __device__ void operator+=(const TapSums& other) {
    for (int t = 0; t < kTaps; ++t) tap[t] += other.tap[t];
    dz += other.dz;
  }
};

}  // namespace

template <class T>
void conv2d_one_channel_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w,
                                const T* b, const Conv2dOutput<T>& out) {
  using A = Accumulator<T>;
  if (out.cell == nullptr) {
    for_each(cuda, "conv2d_one_channel_forward", g.y_size(), [=] __device__(std::int64_t i) {
      const std::int64_t k = i % g.K, q = i / g.K % g.Q, p = i / g.K / g.Q % g.P;
      const T* image = x + i / g.K / g.Q / g.P * g.H * g.W;
      const A z = filtered(g, image, w, b, p, q, k);
      out.y[i] = static_cast<T>(out.activation == Activation::relu && z < A(0) ? A(0) : z);
    });
    return;
  }
  const std::int64_t P = g.P / 2, Q = g.Q / 2;
  for_each(cuda, "conv2d_one_channel_pooled", g.N * P * Q * g.K, [=] __device__(std::int64_t i) {
    const std::int64_t k = i % g.K, q = i / g.K % Q, p = i / g.K / Q % P;
    const T* image = x + i / g.K / Q / P * g.H * g.W;
    store_largest<A>(out, i, [&](int cell) {
      return filtered(g, image, w, b, 2 * p + cell / 2, 2 * q + cell % 2, k);
    });
  });
}

// A column is a filter and up to nine of its taps; a row is a result, or a window's largest.
template <class T>
void conv2d_one_channel_backward(Cuda cuda, const Conv2dGeometry& g, const T* x,
                                 const Conv2dOutput<const T>& out, const T* dy,
                                 const Conv2dGradients<T>& d) {
  using A = Accumulator<T>;
  using Sums = TapSums<A>;
  const bool pooled = out.cell != nullptr;
  const std::int64_t P = pooled ? g.P / 2 : g.P, Q = pooled ? g.Q / 2 : g.Q, taps = g.R * g.S;
  column_sums<Sums>(
      cuda, "conv2d_one_channel_backward", g.N * P * Q, g.K * ((taps + kTaps - 1) / kTaps),
      [=] __device__(std::int64_t m, std::int64_t column) {
        const std::int64_t k = column % g.K, first = column / g.K * kTaps, i = m * g.K + k;
        const int cell = pooled ? out.cell[i] : 0;
        Sums sums;
        if (cell == kNoCell) return sums;
        if (!pooled && out.activation == Activation::relu && !(out.y[i] > static_cast<T>(0.0f)))
          return sums;
        const std::int64_t scale = pooled ? 2 : 1;
        const std::int64_t p = m / Q % P * scale + cell / 2, q = m % Q * scale + cell % 2;
        const T* image = x + m / Q / P * g.H * g.W;
        sums.dz = static_cast<A>(dy[i]);
        for (std::int64_t t = 0; t < kTaps && first + t < taps; ++t) {
          sums.tap[t] = sums.dz * static_cast<A>(pixel_under(g, image, p, q, first + t));
        }
        return sums;
      },
      [=] __device__(std::int64_t column, const Sums& sums) {
        const std::int64_t k = column % g.K, first = column / g.K * kTaps;
        for (std::int64_t t = 0; d.dw != nullptr && t < kTaps && first + t < taps; ++t) {
          d.dw[k * taps + first + t] = static_cast<T>(sums.tap[t]);
        }
        if (d.db != nullptr && first == 0) d.db[k] = static_cast<T>(sums.dz);
      });
}

template void conv2d_one_channel_forward(Cuda, const Conv2dGeometry&, const float*, const float*,
                                         const float*, const Conv2dOutput<float>&);
template void conv2d_one_channel_forward(Cuda, const Conv2dGeometry&, const double*, const double*,
                                         const double*, const Conv2dOutput<double>&);
template void conv2d_one_channel_forward(Cuda, const Conv2dGeometry&, const BFloat16*,
                                         const BFloat16*, const BFloat16*,
                                         const Conv2dOutput<BFloat16>&);
template void conv2d_one_channel_backward(Cuda, const Conv2dGeometry&, const float*,
                                          const Conv2dOutput<const float>&, const float*,
                                          const Conv2dGradients<float>&);
template void conv2d_one_channel_backward(Cuda, const Conv2dGeometry&, const double*,
                                          const Conv2dOutput<const double>&, const double*,
                                          const Conv2dGradients<double>&);
template void conv2d_one_channel_backward(Cuda, const Conv2dGeometry&, const BFloat16*,
                                          const Conv2dOutput<const BFloat16>&, const BFloat16*,
                                          const Conv2dGradients<BFloat16>&);

}  // namespace drape::kernels
