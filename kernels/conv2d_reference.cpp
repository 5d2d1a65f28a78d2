// Convolution in f64, product by product of the formula: what every other kernel is checked
// against.
#include <algorithm>

#include "kernels/conv2d.h"
#include "kernels/epilogue.h"
#include "kernels/max_pool2d.h"
#include "kernels/memory.h"

namespace drape::kernels {
namespace {

// Calls body(element of y, element of x, element of w) for every product of the formula whose pixel
// is inside the image.
template <class Body>
void each_product(const Conv2dGeometry& g, Body&& body) {
  const std::int64_t channels = g.C / g.groups, filters = g.K / g.groups;
  for (std::int64_t m = 0; m < g.N * g.P * g.Q; ++m) {
    const std::int64_t n = m / (g.P * g.Q), p = m / g.Q % g.P, q = m % g.Q;
    for (std::int64_t k = 0; k < g.K; ++k) {
      for (std::int64_t r = 0; r < g.R; ++r) {
        for (std::int64_t s = 0; s < g.S; ++s) {
          const std::int64_t y = p * g.stride.y - g.padding.y + r * g.dilation.y;
          const std::int64_t x = q * g.stride.x - g.padding.x + s * g.dilation.x;
          if (y < 0 || y >= g.H || x < 0 || x >= g.W) continue;
          const std::int64_t pixel = ((n * g.H + y) * g.W + x) * g.C + k / filters * channels;
          const std::int64_t weight = ((k * g.R + r) * g.S + s) * channels;
          for (std::int64_t c = 0; c < channels; ++c) body(m * g.K + k, pixel + c, weight + c);
        }
      }
    }
  }
}

}  // namespace

template <>
void conv2d_forward(Cpu, const Conv2dGeometry& g, const double* x, const double* w, const double* b,
                    const Conv2dOutput<double>& out) {
  Buffer<double> whole(out.cell == nullptr ? 0 : g.y_size());
  double* y = out.cell == nullptr ? out.y : whole.data();
  std::fill_n(y, g.y_size(), 0.0);
  each_product(g, [&](std::int64_t output, std::int64_t pixel, std::int64_t weight) {
    y[output] += w[weight] * x[pixel];
  });
  add_bias_activate(g.N * g.P * g.Q, g.K, b, out.activation, y, g.K);
  if (out.cell != nullptr) pool_windows(g, y, out);
}

template <>
void conv2d_backward(Cpu, const Conv2dGeometry& g, const double* x, const double* w,
                     const Conv2dOutput<const double>& out, const double* dy,
                     const Conv2dGradients<double>& d) {
  Buffer<double> dz(g.y_size());
  undo_output(g, out, dy, dz.data());
  if (d.dx != nullptr) std::fill_n(d.dx, g.x_size(), 0.0);
  if (d.dw != nullptr) std::fill_n(d.dw, g.w_size(), 0.0);
  each_product(g, [&](std::int64_t output, std::int64_t pixel, std::int64_t weight) {
    if (d.dx != nullptr) d.dx[pixel] += w[weight] * dz[output];
    if (d.dw != nullptr) d.dw[weight] += x[pixel] * dz[output];
  });
  if (d.db == nullptr) return;
  std::fill_n(d.db, g.K, 0.0);
  add_column_sums(g.N * g.P * g.Q, g.K, dz.data(), d.db);
}

}  // namespace drape::kernels
