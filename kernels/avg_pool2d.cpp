#include "kernels/avg_pool2d.h"

namespace drape::kernels {
namespace {

// y[c] = mean over a window's cells of the pixels image[rows, columns, c]; `width` pixels a row.
// Forward averages x over the cells of an output, backward averages dy over the windows of an
// input.
template <class T>
void average(const T* image, std::int64_t width, Range rows, Range columns, std::int64_t channels,
             T cells, T* y) {
  std::fill_n(y, channels, T(0));
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    for (std::int64_t column = columns.begin; column < columns.end; ++column) {
      const T* pixel = image + (row * width + column) * channels;
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) y[c] += pixel[c];
    }
  }
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) y[c] /= cells;
}

Range pixels_inside(const PoolAxis& axis, std::int64_t output) {
  const Range cells = axis.cells_inside(output);
  return {axis.start(output) + cells.begin, axis.start(output) + cells.end};
}

}  // namespace

template <class T>
void avg_pool2d_forward(Cpu, const Pool2dGeometry& g, const T* x, T* y) {
  const T cells = static_cast<T>(g.window.y * g.window.x);
  parallel_ranges(g.N * g.P, pool_grain(g.Q * g.C), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* image = x + row / g.P * g.H * g.W * g.C;
      const Range rows = pixels_inside(y_axis(g), row % g.P);
      for (std::int64_t q = 0; q < g.Q; ++q) {
        average(image, g.W, rows, pixels_inside(x_axis(g), q), g.C, cells,
                y + (row * g.Q + q) * g.C);
      }
    }
  });
}

template <class T>
void avg_pool2d_backward(Cpu, const Pool2dGeometry& g, const T* dy, T* dx) {
  const T cells = static_cast<T>(g.window.y * g.window.x);
  parallel_ranges(g.N * g.H, pool_grain(g.W * g.C), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* image = dy + row / g.H * g.P * g.Q * g.C;
      const Range ps = y_axis(g).windows_over(row % g.H);
      for (std::int64_t w = 0; w < g.W; ++w) {
        average(image, g.Q, ps, x_axis(g).windows_over(w), g.C, cells, dx + (row * g.W + w) * g.C);
      }
    }
  });
}

template void avg_pool2d_forward(Cpu, const Pool2dGeometry&, const float*, float*);
template void avg_pool2d_forward(Cpu, const Pool2dGeometry&, const double*, double*);
template void avg_pool2d_backward(Cpu, const Pool2dGeometry&, const float*, float*);
template void avg_pool2d_backward(Cpu, const Pool2dGeometry&, const double*, double*);

}  // namespace drape::kernels
