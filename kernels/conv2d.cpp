#include "kernels/conv2d.h"

#include <algorithm>

#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/partials.h"

namespace drape::kernels {
namespace {

// Output pixels [begin, end) of one image, with their patches unfolded: a matrix of one row per
// pixel and one column per weight of a filter, in the filters' own order (r, s, c).
class Patches {
 public:
  explicit Patches(const Conv2dGeometry& geometry)
      : g_(geometry), channels_(g_.C / g_.groups), width_(g_.R * g_.S * channels_) {}

  std::int64_t width() const { return width_; }

  // Pixels of a tile whose unfolded patches stay in the second-level cache.
  std::int64_t tile() const {
    constexpr std::int64_t kElements = 1 << 16;
    return std::clamp<std::int64_t>(kElements / width_, 1, g_.P * g_.Q);
  }
  std::int64_t tiles() const { return (g_.P * g_.Q + tile() - 1) / tile(); }
  Range pixels(std::int64_t index) const {
    return {index * tile(), std::min((index + 1) * tile(), g_.P * g_.Q)};
  }

  // matrix[m] = the patch of pixel m; zero outside the image.
  void unfold(const float* image, std::int64_t group, Range pixels, float* matrix) const {
    each_run(pixels, [&](std::int64_t column, std::int64_t run, std::int64_t source) {
      if (source < 0) {
        std::fill_n(matrix + column, run, 0.0f);
      } else {
        const float* from = image + source + group * channels_;
        for (std::int64_t i = 0; i < run; ++i) matrix[column + i] = from[i];
      }
    });
  }

  // The transpose: adds every row back to the pixels it was taken from.
  void fold(const float* matrix, std::int64_t group, Range pixels, float* image) const {
    each_run(pixels, [&](std::int64_t column, std::int64_t run, std::int64_t source) {
      if (source < 0) return;
      float* to = image + source + group * channels_;
      for (std::int64_t i = 0; i < run; ++i) to[i] += matrix[column + i];
    });
  }

 private:
  // Calls body(first element in the matrix, length, first element in the image or -1 outside it)
  // for runs of elements that lie together in both. Neighbouring taps join into one run when
  // neither dilation nor groups part them.
  template <class Body>
  void each_run(Range pixels, Body&& body) const {
    const bool joined = g_.dilation.x == 1 && g_.groups == 1;
    std::int64_t row = 0;
    for (std::int64_t m = pixels.begin; m < pixels.end; ++m, row += width_) {
      const std::int64_t x0 = m % g_.Q * g_.stride.x - g_.padding.x;
      const bool inside = joined && x0 >= 0 && x0 + g_.S <= g_.W;
      std::int64_t y = m / g_.Q * g_.stride.y - g_.padding.y;
      for (std::int64_t r = 0; r < g_.R; ++r, y += g_.dilation.y) {
        const bool y_inside = y >= 0 && y < g_.H;
        const std::int64_t column = row + r * g_.S * channels_;
        if (!y_inside || inside) {
          body(column, g_.S * channels_, y_inside ? (y * g_.W + x0) * g_.C : -1);
          continue;
        }
        for (std::int64_t s = 0; s < g_.S; ++s) {
          const std::int64_t x = x0 + s * g_.dilation.x;
          const bool x_inside = x >= 0 && x < g_.W;
          body(column + s * channels_, channels_, x_inside ? (y * g_.W + x) * g_.C : -1);
        }
      }
    }
  }

  const Conv2dGeometry& g_;
  std::int64_t channels_, width_;
};

// Calls body(n, p, q, k, r, s, c, y, x) for every product of the formula whose pixel is inside the
// image; c counts within the group, and the image's channel is group * C/groups + c.
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
void conv2d_forward(Cpu, const Conv2dGeometry& g, const float* x, const float* w, const float* b,
                    Activation activation, float* y) {
  const Patches patches(g);
  const std::int64_t filters = g.K / g.groups, width = patches.width();
  parallel_for(g.N * patches.tiles(), [&](std::int64_t task) {
    const std::int64_t n = task / patches.tiles();
    const Range pixels = patches.pixels(task % patches.tiles());
    float* out = y + (n * g.P * g.Q + pixels.begin) * g.K;
    Buffer<float> matrix(patches.tile() * width);
    for (std::int64_t group = 0; group < g.groups; ++group) {
      patches.unfold(x + n * g.H * g.W * g.C, group, pixels, matrix.data());
      gemm<float>(pixels.size(), filters, width, {matrix.data(), width},
                  {w + group * filters * width, width, Use::transposed}, Output::replace,
                  out + group * filters, g.K);
    }
    add_bias_activate(pixels.size(), g.K, b, activation, out, g.K);
  });
}

template <>
void conv2d_backward(Cpu, const Conv2dGeometry& g, const float* x, const float* w, const float* y,
                     const float* dy, Activation activation, float* dx, float* dw, float* db) {
  const Patches patches(g);
  const std::int64_t filters = g.K / g.groups, width = patches.width();
  Partials<float> partials(g.N, g.w_size() + g.K);
  parallel_for(partials.chunks(), [&](std::int64_t chunk) {
    float* dw_sum = partials.start(chunk);
    float* db_sum = dw_sum + g.w_size();
    Buffer<float> matrix(patches.tile() * width), masked(patches.tile() * g.K);
    const Range images = part(g.N, partials.chunks(), chunk);
    for (std::int64_t n = images.begin; n < images.end; ++n) {
      float* dx_image = dx == nullptr ? nullptr : dx + n * g.H * g.W * g.C;
      if (dx != nullptr) std::fill_n(dx_image, g.H * g.W * g.C, 0.0f);
      for (std::int64_t tile = 0; tile < patches.tiles(); ++tile) {
        const Range pixels = patches.pixels(tile);
        const std::int64_t first = (n * g.P * g.Q + pixels.begin) * g.K;
        const float* dz = dy + first;
        if (activation == Activation::relu) {
          undo_activation(pixels.size() * g.K, y + first, dz, masked.data());
          dz = masked.data();
        }
        if (db != nullptr) add_column_sums(pixels.size(), g.K, dz, db_sum);
        for (std::int64_t group = 0; group < g.groups; ++group) {
          const float* dz_group = dz + group * filters;
          if (dw != nullptr) {
            patches.unfold(x + n * g.H * g.W * g.C, group, pixels, matrix.data());
            gemm<float>(filters, width, pixels.size(), {dz_group, g.K, Use::transposed},
                        {matrix.data(), width}, Output::add, dw_sum + group * filters * width,
                        width);
          }
          if (dx != nullptr) {
            gemm<float>(pixels.size(), width, filters, {dz_group, g.K},
                        {w + group * filters * width, width}, Output::replace, matrix.data(),
                        width);
            patches.fold(matrix.data(), group, pixels, dx_image);
          }
        }
      }
    }
  });
  if (dw != nullptr) partials.add_up(0, g.w_size(), dw);
  if (db != nullptr) partials.add_up(g.w_size(), g.K, db);
}

template <>
void conv2d_forward(Cpu, const Conv2dGeometry& g, const double* x, const double* w, const double* b,
                    Activation activation, double* y) {
  std::fill_n(y, g.y_size(), 0.0);
  each_product(g, [&](std::int64_t out, std::int64_t pixel, std::int64_t weight) {
    y[out] += w[weight] * x[pixel];
  });
  add_bias_activate(g.N * g.P * g.Q, g.K, b, activation, y, g.K);
}

template <>
void conv2d_backward(Cpu, const Conv2dGeometry& g, const double* x, const double* w,
                     const double* y, const double* dy, Activation activation, double* dx,
                     double* dw, double* db) {
  Buffer<double> dz(g.y_size());
  std::copy_n(dy, g.y_size(), dz.data());
  if (activation == Activation::relu) undo_activation(g.y_size(), y, dy, dz.data());
  if (dx != nullptr) {
    std::fill_n(dx, g.x_size(), 0.0);
    each_product(g, [&](std::int64_t out, std::int64_t pixel, std::int64_t weight) {
      dx[pixel] += w[weight] * dz[out];
    });
  }
  if (dw != nullptr) {
    std::fill_n(dw, g.w_size(), 0.0);
    each_product(g, [&](std::int64_t out, std::int64_t pixel, std::int64_t weight) {
      dw[weight] += x[pixel] * dz[out];
    });
  }
  if (db != nullptr) {
    std::fill_n(db, g.K, 0.0);
    add_column_sums(g.N * g.P * g.Q, g.K, dz.data(), db);
  }
}

}  // namespace drape::kernels
