#include "kernels/avg_pool2d.h"
#include "kernels/cuda.cuh"

namespace drape::kernels {

template <class T>
void avg_pool2d_forward(Cuda cuda, const Pool2dGeometry& g, const T* x, T* y) {
  const auto cells = static_cast<Accumulator<T>>(g.window.y * g.window.x);
  for_each(cuda, "avg_pool2d_forward", g.N * g.P * g.Q * g.C, [=] __device__(std::int64_t i) {
    const std::int64_t c = i % g.C, q = i / g.C % g.Q, p = i / g.C / g.Q % g.P;
    const T* image = x + i / g.C / g.Q / g.P * g.H * g.W * g.C + c;
    const Range rows = y_axis(g).cells_inside(p), columns = x_axis(g).cells_inside(q);
    const std::int64_t h = y_axis(g).start(p), w = x_axis(g).start(q);
    Accumulator<T> sum(0);
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      for (std::int64_t s = columns.begin; s < columns.end; ++s) {
        sum += image[((h + r) * g.W + w + s) * g.C];
      }
    }
    y[i] = static_cast<T>(sum / cells);
  });
}

template <class T>
void avg_pool2d_backward(Cuda cuda, const Pool2dGeometry& g, const T* dy, T* dx) {
  const auto cells = static_cast<Accumulator<T>>(g.window.y * g.window.x);
  for_each(cuda, "avg_pool2d_backward", g.N * g.H * g.W * g.C, [=] __device__(std::int64_t i) {
    const std::int64_t c = i % g.C, w = i / g.C % g.W, h = i / g.C / g.W % g.H;
    const T* image = dy + i / g.C / g.W / g.H * g.P * g.Q * g.C + c;
    const Range ps = y_axis(g).windows_over(h), qs = x_axis(g).windows_over(w);
    Accumulator<T> sum(0);
    for (std::int64_t p = ps.begin; p < ps.end; ++p) {
      for (std::int64_t q = qs.begin; q < qs.end; ++q) sum += image[(p * g.Q + q) * g.C];
    }
    dx[i] = static_cast<T>(sum / cells);
  });
}

template void avg_pool2d_forward(Cuda, const Pool2dGeometry&, const float*, float*);
template void avg_pool2d_forward(Cuda, const Pool2dGeometry&, const double*, double*);
template void avg_pool2d_forward(Cuda, const Pool2dGeometry&, const BFloat16*, BFloat16*);
template void avg_pool2d_backward(Cuda, const Pool2dGeometry&, const float*, float*);
template void avg_pool2d_backward(Cuda, const Pool2dGeometry&, const double*, double*);
template void avg_pool2d_backward(Cuda, const Pool2dGeometry&, const BFloat16*, BFloat16*);

}  // namespace drape::kernels
