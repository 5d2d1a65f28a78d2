#include "kernels/conv2d.h"

#include <type_traits>

#include "kernels/conv2d_cudnn.cuh"
#include "kernels/conv2d_one_channel.cuh"
#include "kernels/conv2d_tiles.cuh"
#include "kernels/epilogue.cuh"

namespace drape::kernels {
namespace {

// The formula, one thread per result: double, and what cuDNN has no deterministic algorithm for.
template <class T>
void direct_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w, T* y) {
  const std::int64_t channels = g.C / g.groups, filters = g.K / g.groups;
  for_each(cuda, "conv2d_direct_forward", g.y_size(), [=] __device__(std::int64_t i) {
    const std::int64_t k = i % g.K, q = i / g.K % g.Q, p = i / g.K / g.Q % g.P;
    const std::int64_t n = i / g.K / g.Q / g.P;
    Accumulator<T> sum(0);
    for (std::int64_t r = 0; r < g.R; ++r) {
      for (std::int64_t s = 0; s < g.S; ++s) {
        const std::int64_t h = p * g.stride.y - g.padding.y + r * g.dilation.y;
        const std::int64_t v = q * g.stride.x - g.padding.x + s * g.dilation.x;
        if (h < 0 || h >= g.H || v < 0 || v >= g.W) continue;
        const T* pixel = x + ((n * g.H + h) * g.W + v) * g.C + k / filters * channels;
        const T* weight = w + ((k * g.R + r) * g.S + s) * channels;
        for (std::int64_t c = 0; c < channels; ++c) sum += pixel[c] * weight[c];
      }
    }
    y[i] = static_cast<T>(sum);
  });
}

// The output that pixel `input` meets with tap `tap`; -1 if there is none.
__device__ std::int64_t output_under(std::int64_t input, std::int64_t tap, std::int64_t stride,
                                     std::int64_t padding, std::int64_t dilation,
                                     std::int64_t outputs) {
  const std::int64_t steps = input + padding - tap * dilation;
  if (steps < 0 || steps % stride != 0 || steps / stride >= outputs) return -1;
  return steps / stride;
}

template <class T>
void direct_backward_data(Cuda cuda, const Conv2dGeometry& g, const T* w, const T* dz, T* dx) {
  const std::int64_t channels = g.C / g.groups, filters = g.K / g.groups;
  for_each(cuda, "conv2d_direct_backward_data", g.x_size(), [=] __device__(std::int64_t i) {
    const std::int64_t c = i % g.C, v = i / g.C % g.W, h = i / g.C / g.W % g.H;
    const std::int64_t n = i / g.C / g.W / g.H, group = c / channels;
    Accumulator<T> sum(0);
    for (std::int64_t r = 0; r < g.R; ++r) {
      for (std::int64_t s = 0; s < g.S; ++s) {
        const std::int64_t p = output_under(h, r, g.stride.y, g.padding.y, g.dilation.y, g.P);
        const std::int64_t q = output_under(v, s, g.stride.x, g.padding.x, g.dilation.x, g.Q);
        if (p < 0 || q < 0) continue;
        const T* gradient = dz + ((n * g.P + p) * g.Q + q) * g.K;
        for (std::int64_t k = group * filters; k < (group + 1) * filters; ++k) {
          sum += gradient[k] * w[((k * g.R + r) * g.S + s) * channels + c % channels];
        }
      }
    }
    dx[i] = static_cast<T>(sum);
  });
}

template <class T>
void direct_backward_filter(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* dz, T* dw) {
  const std::int64_t channels = g.C / g.groups, filters = g.K / g.groups;
  for_each(cuda, "conv2d_direct_backward_filter", g.w_size(), [=] __device__(std::int64_t i) {
    const std::int64_t c = i % channels, s = i / channels % g.S, r = i / channels / g.S % g.R;
    const std::int64_t k = i / channels / g.S / g.R;
    Accumulator<T> sum(0);
    for (std::int64_t m = 0; m < g.N * g.P * g.Q; ++m) {
      const std::int64_t n = m / g.Q / g.P;
      const std::int64_t h = m / g.Q % g.P * g.stride.y - g.padding.y + r * g.dilation.y;
      const std::int64_t v = m % g.Q * g.stride.x - g.padding.x + s * g.dilation.x;
      if (h < 0 || h >= g.H || v < 0 || v >= g.W) continue;
      sum += x[((n * g.H + h) * g.W + v) * g.C + k / filters * channels + c] * dz[m * g.K + k];
    }
    dw[i] = static_cast<T>(sum);
  });
}

template <class T>
void backward_data(Cuda cuda, const Conv2dGeometry& g, const T* w, const T* dz, T* dx) {
  if constexpr (!std::is_same_v<T, double>) {
    if (conv2d_fits_tiles<T>(cuda, g) && g.stride == Size2{1})
      return conv2d_tiles_backward_data(cuda, g, w, dz, dx);
  }
  if (!cudnn_backward_data(cuda, g, w, dz, dx)) direct_backward_data(cuda, g, w, dz, dx);
}

// dw, and db unless that is null.
template <class T>
void backward_filter(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* dz, T* dw, T* db) {
  if constexpr (!std::is_same_v<T, double>) {
    if (conv2d_fits_tiles<T>(cuda, g)) return conv2d_tiles_backward_filter(cuda, g, x, dz, dw, db);
  }
  if (db != nullptr) column_sums(cuda, g.N * g.P * g.Q, g.K, dz, db);
  if (!cudnn_backward_filter(cuda, g, x, dz, dw)) direct_backward_filter(cuda, g, x, dz, dw);
}

// y, cell = the largest of each 2x2 window of act(z + b).
template <int size, class T>
void add_bias_activate_pool(Cuda cuda, const Conv2dGeometry& g, const T* z, const T* b,
                            const Conv2dOutput<T>& out) {
  using Real = Accumulator<T>;
  const std::int64_t P = g.P / 2, Q = g.Q / 2, packs = g.K / size;
  for_each(cuda, "add_bias_activate_pool", g.N * P * Q * packs, [=] __device__(std::int64_t i) {
    const std::int64_t window = i / packs, k = (i - window * packs) * size;
    const std::int64_t row = window / Q, q = window - row * Q, n = row / P, p = row - n * P;
    const T* corner = z + ((n * g.P + 2 * p) * g.Q + 2 * q) * g.K + k;
    Pack<T, size> values[4], y;
    Pack<std::uint8_t, size> cells;
    for (int c = 0; c < 4; ++c) values[c] = load<size>(corner + (c / 2 * g.Q + c % 2) * g.K);
    for (int j = 0; j < size; ++j) {
      const Real bias = b == nullptr ? Real(0) : Real(b[k + j]);
      const auto value = [&](int c) { return Real(values[c].value[j]) + bias; };
      const Largest<Real> largest = largest_of_window<Real>(out.activation, value);
      y.value[j] = static_cast<T>(largest.value);
      cells.value[j] = largest.cell;
    }
    store(out.y + i * size, y);
    store(out.cell + i * size, cells);
  });
}

}  // namespace

template <class T>
void conv2d_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w, const T* b,
                    const Conv2dOutput<T>& out) {
  if (g.C == 1) return conv2d_one_channel_forward(cuda, g, x, w, b, out);
  if constexpr (!std::is_same_v<T, double>) {
    if (conv2d_fits_tiles<T>(cuda, g)) return conv2d_tiles_forward(cuda, g, x, w, b, out);
  }
  const bool pooled = out.cell != nullptr;
  const DeviceBuffer<T> whole(cuda, pooled ? g.y_size() : 0);
  T* z = pooled ? whole.data() : out.y;
  if (!cudnn_forward(cuda, g, x, w, z)) direct_forward(cuda, g, x, w, z);
  if (pooled) {
    const bool packs = packs_fit(g.K);
    return packs ? add_bias_activate_pool<kPack>(cuda, g, z, b, out)
                 : add_bias_activate_pool<1>(cuda, g, z, b, out);
  }
  add_bias_activate(cuda, g.N * g.P * g.Q, g.K, b, out.activation, z);
}

template <class T>
void conv2d_backward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w,
                     const Conv2dOutput<const T>& out, const T* dy, const Conv2dGradients<T>& d) {
  if (g.C == 1 && (d.dw != nullptr || d.db != nullptr)) {
    conv2d_one_channel_backward(cuda, g, x, out, dy, d);
    if (d.dx != nullptr) conv2d_backward<T>(cuda, g, x, w, out, dy, {d.dx, nullptr, nullptr});
    return;
  }
  const OutputGradient<T> gradient(cuda, g, out, dy, d.db);
  const T* dz = gradient.dz();
  if (d.dx != nullptr) backward_data(cuda, g, w, dz, d.dx);
  if (d.dw != nullptr) {
    backward_filter(cuda, g, x, dz, d.dw, gradient.db());
  } else if (gradient.db() != nullptr) {
    column_sums(cuda, g.N * g.P * g.Q, g.K, dz, gradient.db());
  }
}

template void conv2d_forward(Cuda, const Conv2dGeometry&, const float*, const float*, const float*,
                             const Conv2dOutput<float>&);
template void conv2d_forward(Cuda, const Conv2dGeometry&, const double*, const double*,
                             const double*, const Conv2dOutput<double>&);
template void conv2d_forward(Cuda, const Conv2dGeometry&, const BFloat16*, const BFloat16*,
                             const BFloat16*, const Conv2dOutput<BFloat16>&);
template void conv2d_backward(Cuda, const Conv2dGeometry&, const float*, const float*,
                              const Conv2dOutput<const float>&, const float*,
                              const Conv2dGradients<float>&);
template void conv2d_backward(Cuda, const Conv2dGeometry&, const double*, const double*,
                              const Conv2dOutput<const double>&, const double*,
                              const Conv2dGradients<double>&);
template void conv2d_backward(Cuda, const Conv2dGeometry&, const BFloat16*, const BFloat16*,
                              const Conv2dOutput<const BFloat16>&, const BFloat16*,
                              const Conv2dGradients<BFloat16>&);

}  // namespace drape::kernels
