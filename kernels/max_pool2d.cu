#include "kernels/max_pool2d.h"

#include <algorithm>

#include "kernels/ceil_div.h"
#include "kernels/pack.cuh"

namespace drape::kernels {
namespace {

template <int size, class T>
void forward(Cuda cuda, const Pool2dGeometry& g, const T* x, T* y, std::uint8_t* position) {
  const std::int64_t packs = g.C / size;
  for_each(cuda, "max_pool2d_forward", g.N * g.P * g.Q * packs, [=] __device__(std::int64_t i) {
    const std::int64_t window = i / packs, c = (i - window * packs) * size;
    const std::int64_t row = window / g.Q, q = window - row * g.Q, n = row / g.P, p = row - n * g.P;
    const T* image = x + n * g.H * g.W * g.C + c;
    const Range rows = y_axis(g).cells_inside(p), columns = x_axis(g).cells_inside(q);
    const std::int64_t h = y_axis(g).start(p), w = x_axis(g).start(q);
    Pack<T, size> best{};
    Pack<std::uint8_t, size> at{};
    bool first = true;
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      for (std::int64_t s = columns.begin; s < columns.end; ++s) {
        const Pack<T, size> pack = load<size>(image + ((h + r) * g.W + w + s) * g.C);
        for (int j = 0; j < size; ++j) {
          const T value = pack.value[j];
          if (!first && !(value > best.value[j]) && value == value) continue;  // NaN wins
          best.value[j] = value;
          at.value[j] = static_cast<std::uint8_t>(r * g.window.x + s);
        }
        first = false;
      }
    }
    store(y + i * size, best);
    store(position + i * size, at);
  });
}

template <int size, class T>
void backward(Cuda cuda, const Pool2dGeometry& g, const T* dy, const std::uint8_t* position,
              T* dx) {
  const std::int64_t packs = g.C / size;
  for_each(cuda, "max_pool2d_backward", g.N * g.H * g.W * packs, [=] __device__(std::int64_t i) {
    const std::int64_t pixel = i / packs, c = (i - pixel * packs) * size;
    const std::int64_t row = pixel / g.W, w = pixel - row * g.W, n = row / g.H, h = row - n * g.H;
    const std::int64_t image = n * g.P * g.Q * g.C + c;
    const Range ps = y_axis(g).windows_over(h), qs = x_axis(g).windows_over(w);
    Accumulator<T> sums[size] = {};
    for (std::int64_t p = ps.begin; p < ps.end; ++p) {
      for (std::int64_t q = qs.begin; q < qs.end; ++q) {
        const std::int64_t cell = (h - y_axis(g).start(p)) * g.window.x + w - x_axis(g).start(q);
        const std::int64_t window = image + (p * g.Q + q) * g.C;
        const Pack<T, size> gradients = load<size>(dy + window);
        const Pack<std::uint8_t, size> positions = load<size>(position + window);
        for (int j = 0; j < size; ++j) {
          if (positions.value[j] == cell)
            sums[j] += static_cast<Accumulator<T>>(gradients.value[j]);
        }
      }
    }
    Pack<T, size> pack;
    for (int j = 0; j < size; ++j) pack.value[j] = static_cast<T>(sums[j]);
    store(dx + i * size, pack);
  });
}

// Where windows lie side by side: a thread has one of them, or what lies behind the last.
template <int size, class T>
void backward_disjoint(Cuda cuda, const Pool2dGeometry& g, const T* dy,
                       const std::uint8_t* position, T* dx) {
  const std::int64_t packs = g.C / size, down = ceil_div(g.H, g.window.y);
  const std::int64_t along = ceil_div(g.W, g.window.x);
  const auto H = static_cast<int>(g.H), W = static_cast<int>(g.W);
  const auto height = static_cast<int>(g.window.y), width = static_cast<int>(g.window.x);
  for_each(cuda, "max_pool2d_backward", g.N * down * along * packs, [=] __device__(std::int64_t i) {
    const std::int64_t window = i / packs, c = (i - window * packs) * size;
    const std::int64_t row = window / along, n = row / down;
    const int q = static_cast<int>(window - row * along), p = static_cast<int>(row - n * down);
    Pack<T, size> gradients{};
    Pack<std::uint8_t, size> positions{};
    if (p < g.P && q < g.Q) {
      const std::int64_t from = ((n * g.P + p) * g.Q + q) * g.C + c;
      gradients = load<size>(dy + from);
      positions = load<size>(position + from);
    }
    for (int r = 0; r < height; ++r) {
      const int h = p * height + r;
      for (int s = 0; s < width; ++s) {
        const int w = q * width + s;
        if (h >= H || w >= W) continue;
        Pack<T, size> here{};
        for (int j = 0; j < size; ++j) {
          if (positions.value[j] == r * width + s) here.value[j] = gradients.value[j];
        }
        store(dx + ((n * H + h) * W + w) * g.C + c, here);
      }
    }
  });
}

}  // namespace

template <class T>
void max_pool2d_forward(Cuda cuda, const Pool2dGeometry& g, const T* x, T* y,
                        std::uint8_t* position) {
  packs_fit(g.C) ? forward<kPack>(cuda, g, x, y, position) : forward<1>(cuda, g, x, y, position);
}

template <class T>
void max_pool2d_backward(Cuda cuda, const Pool2dGeometry& g, const T* dy,
                         const std::uint8_t* position, T* dx) {
  const bool packs = packs_fit(g.C), countable = std::max(g.H, g.W) < 1 << 30;  // in 32 bits
  if (countable && g.stride == g.window && g.padding == Size2{0}) {
    packs ? backward_disjoint<kPack>(cuda, g, dy, position, dx)
          : backward_disjoint<1>(cuda, g, dy, position, dx);
  } else {
    packs ? backward<kPack>(cuda, g, dy, position, dx) : backward<1>(cuda, g, dy, position, dx);
  }
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
