#include "kernels/max_pool2d.h"

namespace drape::kernels {
namespace {

// Ties stay with the best so far, NaN wins.
template <class T>
bool beats(T challenger, T best) {
  return challenger > best || challenger != challenger;
}

// The hot case, a whole 2x2 window: its four pixels of C channels in scan order.
template <class T>
void max_of_four(const T* x0, const T* x1, const T* x2, const T* x3, std::int64_t channels, T* y,
                 std::uint8_t* position) {
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) {
    T best = x0[c];
    int cell = 0;
    cell = beats(x1[c], best) ? 1 : cell;
    best = beats(x1[c], best) ? x1[c] : best;
    cell = beats(x2[c], best) ? 2 : cell;
    best = beats(x2[c], best) ? x2[c] : best;
    cell = beats(x3[c], best) ? 3 : cell;
    best = beats(x3[c], best) ? x3[c] : best;
    y[c] = best;
    position[c] = static_cast<std::uint8_t>(cell);
  }
}

// Any window: its cells `rows` x `columns` are inside the image, cell (0, 0) is pixel (h, w).
template <class T>
void max_of_window(const Pool2dGeometry& g, const T* image, std::int64_t h, std::int64_t w,
                   Range rows, Range columns, T* y, std::uint8_t* position) {
  const std::int64_t first = rows.begin * g.window.x + columns.begin;
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    for (std::int64_t s = columns.begin; s < columns.end; ++s) {
      const T* x = image + ((h + r) * g.W + w + s) * g.C;
      const std::int64_t cell = r * g.window.x + s;
#pragma omp simd
      for (std::int64_t c = 0; c < g.C; ++c) {
        const bool wins = cell == first || beats(x[c], y[c]);
        y[c] = wins ? x[c] : y[c];
        position[c] = wins ? static_cast<std::uint8_t>(cell) : position[c];
      }
    }
  }
}

// Row p of an image's outputs.
template <class T>
void max_of_row(const Pool2dGeometry& g, std::int64_t p, const T* image, T* y,
                std::uint8_t* position) {
  const Range rows = y_axis(g).cells_inside(p);
  const std::int64_t h = y_axis(g).start(p);
  for (std::int64_t q = 0; q < g.Q; ++q, y += g.C, position += g.C) {
    const Range columns = x_axis(g).cells_inside(q);
    const std::int64_t w = x_axis(g).start(q);
    if (g.window == Size2(2) && rows.size() == 2 && columns.size() == 2) {
      const T* above = image + (h * g.W + w) * g.C;
      const T* below = above + g.W * g.C;
      max_of_four(above, above + g.C, below, below + g.C, g.C, y, position);
    } else {
      max_of_window(g, image, h, w, rows, columns, y, position);
    }
  }
}

// What pixel `cell` of a window gets of its dy: dx = share, or dx += share.
template <class T>
void take_share(const T* dy, const std::uint8_t* position, std::uint8_t cell, std::int64_t channels,
                T* dx) {
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) {
    const T share = dy[c];
    dx[c] = position[c] == cell ? share : T(0);
  }
}
template <class T>
void add_share(const T* dy, const std::uint8_t* position, std::uint8_t cell, std::int64_t channels,
               T* dx) {
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) {
    const T share = dy[c];
    dx[c] += position[c] == cell ? share : T(0);
  }
}

// Gathers the gradient of pixel (h, w) from the windows ps x qs over it: at most one unless windows
// overlap.
template <class T>
void gradient_of_pixel(const Pool2dGeometry& g, std::int64_t h, std::int64_t w, Range ps, Range qs,
                       const T* dy, const std::uint8_t* position, T* dx) {
  if (ps.size() <= 0 || qs.size() <= 0) std::fill_n(dx, g.C, T(0));
  for (std::int64_t p = ps.begin; p < ps.end; ++p) {
    for (std::int64_t q = qs.begin; q < qs.end; ++q) {
      const std::int64_t r = h - y_axis(g).start(p), s = w - x_axis(g).start(q);
      const auto cell = static_cast<std::uint8_t>(r * g.window.x + s);
      const std::int64_t window = (p * g.Q + q) * g.C;
      const auto share = p == ps.begin && q == qs.begin ? take_share<T> : add_share<T>;
      share(dy + window, position + window, cell, g.C, dx);
    }
  }
}

}  // namespace

template <class T>
void max_pool2d_forward(Cpu, const Pool2dGeometry& g, const T* x, T* y, std::uint8_t* position) {
  parallel_ranges(g.N * g.P, pool_grain(g.Q * g.C), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t out = row * g.Q * g.C;
      max_of_row(g, row % g.P, x + row / g.P * g.H * g.W * g.C, y + out, position + out);
    }
  });
}

template <class T>
void max_pool2d_backward(Cpu, const Pool2dGeometry& g, const T* dy, const std::uint8_t* position,
                         T* dx) {
  parallel_ranges(g.N * g.H, pool_grain(g.W * g.C), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t h = row % g.H, image = row / g.H * g.P * g.Q * g.C;
      const Range ps = y_axis(g).windows_over(h);
      for (std::int64_t w = 0; w < g.W; ++w) {
        gradient_of_pixel(g, h, w, ps, x_axis(g).windows_over(w), dy + image, position + image,
                          dx + (row * g.W + w) * g.C);
      }
    }
  });
}

template void max_pool2d_forward(Cpu, const Pool2dGeometry&, const float*, float*, std::uint8_t*);
template void max_pool2d_forward(Cpu, const Pool2dGeometry&, const double*, double*, std::uint8_t*);
template void max_pool2d_backward(Cpu, const Pool2dGeometry&, const float*, const std::uint8_t*,
                                  float*);
template void max_pool2d_backward(Cpu, const Pool2dGeometry&, const double*, const std::uint8_t*,
                                  double*);

}  // namespace drape::kernels
