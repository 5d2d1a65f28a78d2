// Deformable convolution in f64, product by product of the formula: what every other kernel is
// checked against.
#include <algorithm>

#include "kernels/bilinear.h"
#include "kernels/deform_conv2d.h"
#include "kernels/epilogue.h"
#include "kernels/max_pool2d.h"
#include "kernels/memory.h"

namespace drape::kernels {
namespace {

// One product of the formula: filter k's tap meets channel c of the image at a sampling point.
struct Product {
  std::int64_t out, weight, point;
  double mask, fy, fx;
  double v[4];         // the pixels around the point
  std::int64_t at[4];  // where they stand in x, -1 outside

  double value() const { return bilinear_value(v[0], v[1], v[2], v[3], fy, fx); }
  double dy() const { return bilinear_dy(v[0], v[1], v[2], v[3], fx); }
  double dx() const { return bilinear_dx(v[0], v[1], v[2], v[3], fy); }
};

// Calls body(Product) for every product of the formula.
template <class Body>
void each_product(const DeformConv2dGeometry& geometry, const DeformConv2dInputs<double>& in,
                  Body&& body) {
  const Conv2dGeometry& g = geometry.conv;
  const std::int64_t channels = g.C / g.groups, filters = g.K / g.groups, taps = geometry.taps();
  for (std::int64_t m = 0; m < g.N * g.P * g.Q; ++m) {
    const std::int64_t n = m / (g.P * g.Q), p = m / g.Q % g.P, q = m % g.Q;
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t c = 0; c < g.C; ++c) {
        const std::int64_t offset_group = c / (g.C / geometry.offset_groups);
        const std::int64_t j = m * geometry.points() + offset_group * taps + tap;
        const auto y = static_cast<double>(p * g.stride.y - g.padding.y + tap / g.S * g.dilation.y);
        const auto x = static_cast<double>(q * g.stride.x - g.padding.x + tap % g.S * g.dilation.x);
        const auto point =
            bilinear_point(y + in.offset[2 * j], x + in.offset[2 * j + 1],
                           static_cast<std::int32_t>(g.H), static_cast<std::int32_t>(g.W));
        const auto at = [&](int corner) {
          const std::int64_t pixel = point.pixel[corner];
          return pixel == g.H * g.W ? -1 : (n * g.H * g.W + pixel) * g.C + c;
        };
        const auto value = [&](int corner) { return at(corner) < 0 ? 0.0 : in.x[at(corner)]; };
        const double mask = in.mask == nullptr ? 1.0 : in.mask[j];
        const std::int64_t group = c / channels;
        for (std::int64_t k = group * filters; k < (group + 1) * filters; ++k) {
          body(Product{m * g.K + k,
                       (k * taps + tap) * channels + c % channels,
                       j,
                       mask,
                       point.fy,
                       point.fx,
                       {value(0), value(1), value(2), value(3)},
                       {at(0), at(1), at(2), at(3)}});
        }
      }
    }
  }
}

}  // namespace

template <>
void deform_conv2d_forward(Cpu, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<double>& in, const Conv2dOutput<double>& out) {
  const Conv2dGeometry& g = geometry.conv;
  Buffer<double> whole(out.cell == nullptr ? 0 : g.y_size());
  double* y = out.cell == nullptr ? out.y : whole.data();
  std::fill_n(y, g.y_size(), 0.0);
  each_product(geometry, in,
               [&](const Product& t) { y[t.out] += in.w[t.weight] * t.mask * t.value(); });
  add_bias_activate(g.N * g.P * g.Q, g.K, in.b, out.activation, y, g.K);
  if (out.cell != nullptr) pool_windows(g, y, out);
}

template <>
void deform_conv2d_backward(Cpu, const DeformConv2dGeometry& geometry,
                            const DeformConv2dInputs<double>& in,
                            const Conv2dOutput<const double>& out, const double* dy,
                            const DeformConv2dGradients<double>& d) {
  const Conv2dGeometry& g = geometry.conv;
  const std::int64_t points = g.N * g.P * g.Q * geometry.points();
  Buffer<double> dz(g.y_size());
  undo_output(g, out, dy, dz.data());
  const auto clear = [](double* gradient, std::int64_t size) {
    if (gradient != nullptr) std::fill_n(gradient, size, 0.0);
  };
  clear(d.dx, g.x_size());
  clear(d.d_offset, 2 * points);
  clear(d.d_mask, points);
  clear(d.dw, g.w_size());
  clear(d.db, g.K);
  each_product(geometry, in, [&](const Product& t) {
    const double value = t.value(), gradient = dz[t.out] * in.w[t.weight];
    if (d.dw != nullptr) d.dw[t.weight] += dz[t.out] * t.mask * value;
    if (d.d_mask != nullptr) d.d_mask[t.point] += gradient * value;
    if (d.d_offset != nullptr) {
      d.d_offset[2 * t.point] += gradient * t.mask * t.dy();
      d.d_offset[2 * t.point + 1] += gradient * t.mask * t.dx();
    }
    for (int corner = 0; d.dx != nullptr && corner < 4; ++corner) {
      const BilinearPoint<double> point{{}, t.fy, t.fx};
      if (t.at[corner] >= 0) d.dx[t.at[corner]] += gradient * t.mask * point.weight(corner);
    }
  });
  if (d.db != nullptr) add_column_sums(g.N * g.P * g.Q, g.K, dz.data(), d.db);
}

}  // namespace drape::kernels
