#include "kernels/cuda.cuh"
#include "kernels/max_pool2d.h"

namespace drape::kernels {

template <class T>
void max_pool2d_forward(Cuda cuda, const Pool2dGeometry& g, const T* x, T* y,
                        std::uint8_t* position) {
  for_each(cuda, "max_pool2d_forward", g.N * g.P * g.Q * g.C, [=] __device__(std::int64_t i) {
    const std::int64_t c = i % g.C, q = i / g.C % g.Q, p = i / g.C / g.Q % g.P;
    const T* image = x + i / g.C / g.Q / g.P * g.H * g.W * g.C + c;
    const Range rows = y_axis(g).cells_inside(p), columns = x_axis(g).cells_inside(q);
    const std::int64_t h = y_axis(g).start(p), w = x_axis(g).start(q);
    Accumulator<T> best(0);
    std::int64_t at = -1;
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      for (std::int64_t s = columns.begin; s < columns.end; ++s) {
        const Accumulator<T> value = image[((h + r) * g.W + w + s) * g.C];
        if (at >= 0 && !(value > best) && value == value) continue;  // NaN wins
        best = value;
        at = r * g.window.x + s;
      }
    }
    y[i] = static_cast<T>(best);
    position[i] = static_cast<std::uint8_t>(at);
  });
}

template <class T>
void max_pool2d_backward(Cuda cuda, const Pool2dGeometry& g, const T* dy,
                         const std::uint8_t* position, T* dx) {
  for_each(cuda, "max_pool2d_backward", g.N * g.H * g.W * g.C, [=] __device__(std::int64_t i) {
    const std::int64_t c = i % g.C, w = i / g.C % g.W, h = i / g.C / g.W % g.H;
    const std::int64_t image = i / g.C / g.W / g.H * g.P * g.Q * g.C + c;
    const Range ps = y_axis(g).windows_over(h), qs = x_axis(g).windows_over(w);
    Accumulator<T> sum(0);
    for (std::int64_t p = ps.begin; p < ps.end; ++p) {
      for (std::int64_t q = qs.begin; q < qs.end; ++q) {
        const std::int64_t cell = (h - y_axis(g).start(p)) * g.window.x + w - x_axis(g).start(q);
        const std::int64_t window = image + (p * g.Q + q) * g.C;
        if (position[window] == cell) sum += dy[window];
      }
    }
    dx[i] = static_cast<T>(sum);
  });
}

template void max_pool2d_forward(Cuda, const Pool2dGeometry&, const float*, float*, std::uint8_t*);
template void max_pool2d_forward(Cuda, const Pool2dGeometry&, const double*, double*,
                                 std::uint8_t*);
template void max_pool2d_forward(Cuda, const Pool2dGeometry&, const BFloat16*, BFloat16*,
                                 std::uint8_t*);
template void max_pool2d_backward(Cuda, const Pool2dGeometry&, const float*, const std::uint8_t*,
                                  float*);
template void max_pool2d_backward(Cuda, const Pool2dGeometry&, const double*, const std::uint8_t*,
                                  double*);
template void max_pool2d_backward(Cuda, const Pool2dGeometry&, const BFloat16*, const std::uint8_t*,
                                  BFloat16*);

}  // namespace drape::kernels
