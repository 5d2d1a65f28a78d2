#include "kernels/ceil_div.h"
#include "kernels/conv2d_one_channel.cuh"

#include "kernels/epilogue.cuh"
#include "kernels/taps.cuh"

namespace drape::kernels {
namespace {

// Error if an image has more pixels than the kernels count.
Taps taps_of(const Conv2dGeometry& g) {
  if (g.H * g.W > INT32_MAX) {
    throw Error("conv2d: expected an image of one channel of fewer than 2^31 pixels, got " +
                std::to_string(g.H) + "x" + std::to_string(g.W));
  }
  return Taps(g);
}

// Whether the taps of neighbouring outputs are neighbouring pixels, 3x3.
bool square(const Conv2dGeometry& g) {
  const Size2 one{1};
  return g.R == 3 && g.S == 3 && g.stride == one && g.dilation == one;
}

// The pixel under tap (r, s) of output (p, q) of an image; zero outside.
template <class T>
__device__ Accumulator<T> pixel_under(const Taps& taps, const T* image, int p, int q, int r,
                                      int s) {
  const int h = taps.y(p, r), v = taps.x(q, s);
  return taps.inside(h, v) ? static_cast<Accumulator<T>>(image[h * taps.W + v]) : Accumulator<T>(0);
}

// The pixels under a 2x2 window of outputs, or under its first output, where taps are square.
template <int side, class T>
struct Neighbourhood {
  Accumulator<T> pixel[side][side];

  __device__ Neighbourhood(const Taps& taps, const T* image, int p, int q) {
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) pixel[y][x] = pixel_under(taps, image, p + y, q + x, 0, 0);
    }
  }
};

// Where a 2x2 window of outputs begins.
template <class T>
struct Window {
  const T* image;
  int p, q;

  __device__ Window(const Taps&, const T* of_image, int y, int x) : image(of_image), p(y), q(x) {}
};

// z[cell][j] += the products of filter j's weights with the pixels under output (p, q) of a window;
// of square taps, and of any.
template <int size, class T, class Real>
__device__ void filter_square(const Taps& taps, const T* image, int p, int q, const T* weights,
                              Real (&z)[4][size]) {
  const Neighbourhood<4, T> near(taps, image, p, q);
  for (int t = 0; t < 9; ++t) {
    for (int j = 0; j < size; ++j) {
      const Real weight = static_cast<Real>(weights[j * 9 + t]);
      for (int cell = 0; cell < 4; ++cell)
        z[cell][j] += near.pixel[cell / 2 + t / 3][cell % 2 + t % 3] * weight;
    }
  }
}
template <int size, class T, class Real>
__device__ void filter_any(const Taps& taps, const T* image, int p, int q, const T* weights,
                           Real (&z)[4][size]) {
  for (int r = 0; r < taps.R; ++r) {
    for (int s = 0; s < taps.S; ++s) {
      Real pixels[4];
      for (int cell = 0; cell < 4; ++cell)
        pixels[cell] = pixel_under(taps, image, p + cell / 2, q + cell % 2, r, s);
      for (int j = 0; j < size; ++j) {
        const Real weight = static_cast<Real>(weights[(j * taps.R + r) * taps.S + s]);
        for (int cell = 0; cell < 4; ++cell) z[cell][j] += pixels[cell] * weight;
      }
    }
  }
}

// A thread has `size` filters and a 2x2 window of outputs, whose largest it keeps where that is
// asked for.
template <int size, bool is_square, class T>
void forward(Cuda cuda, const Conv2dGeometry& g, const Taps& taps, const T* x, const T* w,
             const T* b, const Conv2dOutput<T>& out) {
  using Real = Accumulator<T>;
  const bool pooled = out.cell != nullptr;
  const std::int64_t P = (g.P + !pooled) / 2, Q = (g.Q + !pooled) / 2, packs = g.K / size;
  const char* name = pooled ? "conv2d_one_channel_pooled" : "conv2d_one_channel_forward";
  for_each(cuda, name, g.N * P * Q * packs, [=] __device__(std::int64_t i) {
    const std::int64_t window = i / packs, k = (i - window * packs) * size;
    const std::int64_t row = window / Q, n = row / P;
    const int q = static_cast<int>(window - row * Q) * 2, p = static_cast<int>(row - n * P) * 2;
    const T *image = x + n * taps.H * taps.W, *weights = w + k * taps.R * taps.S;
    Real z[4][size];
    for (int j = 0; j < size; ++j) {
      const Real bias = b == nullptr ? Real(0) : static_cast<Real>(b[k + j]);
      for (int cell = 0; cell < 4; ++cell) z[cell][j] = bias;
    }
    if constexpr (is_square)
      filter_square(taps, image, p, q, weights, z);
    else
      filter_any(taps, image, p, q, weights, z);
    Pack<T, size> y;
    if (pooled) {
      Pack<std::uint8_t, size> cells;
      for (int j = 0; j < size; ++j) {
        const Largest<Real> largest =
            largest_of_window<Real>(out.activation, [&](int cell) { return z[cell][j]; });
        y.value[j] = static_cast<T>(largest.value);
        cells.value[j] = largest.cell;
      }
      store(out.y + i * size, y);
      store(out.cell + i * size, cells);
      return;
    }
    for (int cell = 0; cell < 4; ++cell) {
      if (p + cell / 2 >= g.P || q + cell % 2 >= g.Q) continue;
      for (int j = 0; j < size; ++j)
        y.value[j] = static_cast<T>(activated(out.activation, z[cell][j]));
      store(out.y + ((n * g.P + p + cell / 2) * g.Q + q + cell % 2) * g.K + k, y);
    }
  });
}

// What the gradients of `size` filters sum up: the products of dz with the pixels under some taps,
// and dz.
constexpr int kTaps = 9;
template <class Real, int size>
struct TapSums {
  Real tap[size][kTaps] = {}, dz[size] = {};
  __device__ void operator+=(const TapSums& other) {
    for (int j = 0; j < size; ++j) {
      for (int t = 0; t < kTaps; ++t) tap[j][t] += other.tap[j][t];
      dz[j] += other.dz[j];
    }
  }
};

// sums.tap[j][t] = sums.dz[j] times the pixel under a tap of the window's cell that filter j has,
// 0 where that is flat; of square taps, and of up to kTaps of any from `first` on.
template <class T, int size, class Real>
__device__ void sum_taps(const Taps&, const Neighbourhood<4, T>& near, int, bool,
                         const Pack<std::uint8_t, size>& cells, const bool (&flat)[size],
                         TapSums<Real, size>& sums) {
  for (int j = 0; j < size; ++j) {
    const bool lower = cells.value[j] / 2 == 1, right = cells.value[j] % 2 == 1;
    for (int r = 0; r < 3; ++r) {
      Real line[4];
      for (int v = 0; v < 4; ++v) line[v] = lower ? near.pixel[r + 1][v] : near.pixel[r][v];
      for (int s = 0; s < 3; ++s) {
        const Real pixel = right ? line[s + 1] : line[s];
        sums.tap[j][3 * r + s] = flat[j] ? Real(0) : sums.dz[j] * pixel;
      }
    }
  }
}
template <class T, int size, class Real>
__device__ void sum_taps(const Taps& taps, const Window<T>& window, int first, bool pooled,
                         const Pack<std::uint8_t, size>& cells, const bool (&flat)[size],
                         TapSums<Real, size>& sums) {
  int r = first / taps.S, s = first - r * taps.S;
  for (int t = 0; t < kTaps; ++t) {
    if (r == taps.R) break;
    Real pixel(0);
    for (int j = 0; j < size; ++j) {
      if (pooled || j == 0) {
        const int cell = cells.value[j] % kNoCell;
        pixel = pixel_under(taps, window.image, window.p + cell / 2, window.q + cell % 2, r, s);
      }
      sums.tap[j][t] = flat[j] ? Real(0) : sums.dz[j] * pixel;
    }
    if (++s == taps.S) s = 0, ++r;
  }
}

// A column is a pack of filters and up to nine of their taps; a row is a result, or a window's
// largest.
template <int size, bool is_square, class T>
void backward(Cuda cuda, const Conv2dGeometry& g, const Taps& taps, const T* x,
              const Conv2dOutput<const T>& out, const T* dy, const Conv2dGradients<T>& d) {
  using Real = Accumulator<T>;
  using Sums = TapSums<Real, size>;
  using Pixels = std::conditional_t<is_square, Neighbourhood<4, T>, Window<T>>;
  const bool pooled = out.cell != nullptr;
  const bool masked = !pooled && out.activation == Activation::relu;
  const std::int64_t scale = pooled ? 2 : 1, P = g.P / scale, Q = g.Q / scale;
  const std::int64_t packs = g.K / size;
  const int tap_count = taps.R * taps.S;
  column_sums<Sums, 1>(
      cuda, "conv2d_one_channel_backward", g.N * P * Q, packs * ceil_div(tap_count, kTaps),
      [=] __device__(std::int64_t column) {
        const std::int64_t part = column / packs, k = (column - part * packs) * size;
        return [&, part, k](std::int64_t m) {
          const std::int64_t row = m / Q, n = row / P, i = m * g.K + k;
          const int q = static_cast<int>((m - row * Q) * scale);
          const int p = static_cast<int>((row - n * P) * scale);
          const T* image = x + n * taps.H * taps.W;
          const Pack<T, size> gradients = load<size>(dy + i);
          Pack<T, size> results{};
          Pack<std::uint8_t, size> cells{};
          if (masked) results = load<size>(out.y + i);
          if (pooled) cells = load<size>(out.cell + i);
          const Pixels pixels(taps, image, p, q);
          return [=, &out, &taps] {
            Sums sums;
            bool flat[size];
            for (int j = 0; j < size; ++j) {
              flat[j] =
                  pooled ? cells.value[j] == kNoCell : is_flat(out.activation, results.value[j]);
              sums.dz[j] = flat[j] ? Real(0) : static_cast<Real>(gradients.value[j]);
            }
            sum_taps(taps, pixels, static_cast<int>(part) * kTaps, pooled, cells, flat, sums);
            return sums;
          };
        };
      },
      [=] __device__(std::int64_t column, const Sums& sums) {
        const std::int64_t part = column / packs, k = (column - part * packs) * size;
        const std::int64_t first = part * kTaps;
        for (int j = 0; j < size; ++j) {
          for (int t = 0; t < kTaps; ++t) {
            if (d.dw == nullptr || first + t >= tap_count) break;
            d.dw[(k + j) * tap_count + first + t] = static_cast<T>(sums.tap[j][t]);
          }
          if (d.db != nullptr && first == 0) d.db[k + j] = static_cast<T>(sums.dz[j]);
        }
      });
}

// Calls f.operator()<size, is_square>() with the largest pack of filters that fits; of one filter
// where taps are not square.
template <class T, class F>
void with_pack(const Conv2dGeometry& g, F&& f) {
  if (!square(g)) return f.template operator()<1, false>();
  if constexpr (sizeof(T) <= 4) {  // sums of four filters in double take too much shared memory
    if (packs_fit<4>(g.K)) return f.template operator()<4, true>();
  }
  packs_fit<2>(g.K) ? f.template operator()<2, true>() : f.template operator()<1, true>();
}

}  // namespace

template <class T>
void conv2d_one_channel_forward(Cuda cuda, const Conv2dGeometry& g, const T* x, const T* w,
                                const T* b, const Conv2dOutput<T>& out) {
  const Taps taps = taps_of(g);
  with_pack<T>(g, [&]<int size, bool is_square>() {
    forward<size, is_square>(cuda, g, taps, x, w, b, out);
  });
}

template <class T>
void conv2d_one_channel_backward(Cuda cuda, const Conv2dGeometry& g, const T* x,
                                 const Conv2dOutput<const T>& out, const T* dy,
                                 const Conv2dGradients<T>& d) {
  const Taps taps = taps_of(g);
  with_pack<T>(g, [&]<int size, bool is_square>() {
    backward<size, is_square>(cuda, g, taps, x, out, dy, d);
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
