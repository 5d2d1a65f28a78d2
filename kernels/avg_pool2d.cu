#include "kernels/avg_pool2d.h"

#include "kernels/pack.cuh"

namespace drape::kernels {
namespace {

template <int size, class T>
struct Mean {
  Accumulator<T> sums[size] = {};

  __device__ void add(const T* from) {
    const Pack<T, size> pack = load<size>(from);
    for (int j = 0; j < size; ++j) sums[j] += static_cast<Accumulator<T>>(pack.value[j]);
  }
  __device__ Pack<T, size> of(Accumulator<T> cells) const {
    Pack<T, size> mean;
    for (int j = 0; j < size; ++j) mean.value[j] = static_cast<T>(sums[j] / cells);
    return mean;
  }
};

template <int size, class T>
void forward(Cuda cuda, const Pool2dGeometry& g, const T* x, T* y) {
  const auto cells = static_cast<Accumulator<T>>(g.window.y * g.window.x);
  const std::int64_t packs = g.C / size;
  for_each(cuda, "avg_pool2d_forward", g.N * g.P * g.Q * packs, [=] __device__(std::int64_t i) {
    const std::int64_t window = i / packs, c = (i - window * packs) * size;
    const std::int64_t row = window / g.Q, q = window - row * g.Q, n = row / g.P, p = row - n * g.P;
    const T* image = x + n * g.H * g.W * g.C + c;
    const Range rows = y_axis(g).cells_inside(p), columns = x_axis(g).cells_inside(q);
    const std::int64_t h = y_axis(g).start(p), w = x_axis(g).start(q);
    Mean<size, T> mean;
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      for (std::int64_t s = columns.begin; s < columns.end; ++s)
        mean.add(image + ((h + r) * g.W + w + s) * g.C);
    }
    store(y + i * size, mean.of(cells));
  });
}

template <int size, class T>
void backward(Cuda cuda, const Pool2dGeometry& g, const T* dy, T* dx) {
  const auto cells = static_cast<Accumulator<T>>(g.window.y * g.window.x);
  const std::int64_t packs = g.C / size;
  for_each(cuda, "avg_pool2d_backward", g.N * g.H * g.W * packs, [=] __device__(std::int64_t i) {
    const std::int64_t pixel = i / packs, c = (i - pixel * packs) * size;
    const std::int64_t row = pixel / g.W, w = pixel - row * g.W, n = row / g.H, h = row - n * g.H;
    const T* image = dy + n * g.P * g.Q * g.C + c;
    const Range ps = y_axis(g).windows_over(h), qs = x_axis(g).windows_over(w);
    Mean<size, T> mean;
    for (std::int64_t p = ps.begin; p < ps.end; ++p) {
      for (std::int64_t q = qs.begin; q < qs.end; ++q) mean.add(image + (p * g.Q + q) * g.C);
    }
    store(dx + i * size, mean.of(cells));
  });
}

}  // namespace

template <class T>
void avg_pool2d_forward(Cuda cuda, const Pool2dGeometry& g, const T* x, T* y) {
  packs_fit(g.C) ? forward<kPack>(cuda, g, x, y) : forward<1>(cuda, g, x, y);
}

template <class T>
void avg_pool2d_backward(Cuda cuda, const Pool2dGeometry& g, const T* dy, T* dx) {
  packs_fit(g.C) ? backward<kPack>(cuda, g, dy, dx) : backward<1>(cuda, g, dy, dx);
}

template void avg_pool2d_forward(Cuda, const Pool2dGeometry&, const float*, float*);
template void avg_pool2d_forward(Cuda, const Pool2dGeometry&, const double*, double*);
template void avg_pool2d_forward(Cuda, const Pool2dGeometry&, const BFloat16*, BFloat16*);
template void avg_pool2d_backward(Cuda, const Pool2dGeometry&, const float*, float*);
template void avg_pool2d_backward(Cuda, const Pool2dGeometry&, const double*, double*);
template void avg_pool2d_backward(Cuda, const Pool2dGeometry&, const BFloat16*, BFloat16*);

}  // namespace drape::kernels
