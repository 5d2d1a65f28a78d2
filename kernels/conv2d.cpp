#include "kernels/conv2d.h"

#include <algorithm>

#include "kernels/conv2d_one_channel.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/partials.h"

namespace drape::kernels {
namespace {

// Output pixels of the batch, counted through all images, with their patches unfolded: a matrix of
// one row per pixel and one column per weight of a filter, in the filters' own order (r, s, c).
class Patches {
 public:
  explicit Patches(const Conv2dGeometry& geometry)
      : g_(geometry), channels_(g_.C / g_.groups), width_(g_.R * g_.S * channels_) {}

  std::int64_t width() const { return width_; }
  std::int64_t pixels() const { return g_.N * g_.P * g_.Q; }

  // Rows of a matrix that stays in the second-level cache, and enough of them to keep GEMM busy.
  std::int64_t tile_rows() const {
    constexpr std::int64_t kElements = 1 << 16, kFewestRows = 192;
    return std::min(std::max(kElements / width_, kFewestRows), pixels());
  }

  // matrix[m] = the patch of pixel pixels.begin + m; zero outside the image.
  void unfold(const float* x, std::int64_t group, Range pixels, float* matrix) const {
    each_run(pixels, [&](std::int64_t column, std::int64_t run, std::int64_t source) {
      if (source < 0) {
        std::fill_n(matrix + column, run, 0.0f);
      } else {
        const float* from = x + source + group * channels_;
        for (std::int64_t i = 0; i < run; ++i) matrix[column + i] = from[i];
      }
    });
  }

  // The transpose: adds every row back to the pixels it was taken from.
  void fold(const float* matrix, std::int64_t group, Range pixels, float* dx) const {
    each_run(pixels, [&](std::int64_t column, std::int64_t run, std::int64_t source) {
      if (source < 0) return;
      float* to = dx + source + group * channels_;
      for (std::int64_t i = 0; i < run; ++i) to[i] += matrix[column + i];
    });
  }

 private:
  // Calls body(first element in the matrix, length, first element in x or -1 outside the image) for
  // runs of elements that lie together in both. Neighbouring taps join into one run when neither
  // dilation nor groups part them.
  template <class Body>
  void each_run(Range pixels, Body&& body) const {
    const bool joined = g_.dilation.x == 1 && g_.groups == 1;
    std::int64_t row = 0;
    for (std::int64_t m = pixels.begin; m < pixels.end; ++m, row += width_) {
      const std::int64_t line = m / g_.Q, image = line / g_.P * g_.H;
      const std::int64_t x0 = m % g_.Q * g_.stride.x - g_.padding.x;
      const bool inside = joined && x0 >= 0 && x0 + g_.S <= g_.W;
      std::int64_t y = line % g_.P * g_.stride.y - g_.padding.y;
      for (std::int64_t r = 0; r < g_.R; ++r, y += g_.dilation.y) {
        const bool y_inside = y >= 0 && y < g_.H;
        const std::int64_t column = row + r * g_.S * channels_;
        if (!y_inside || inside) {
          body(column, g_.S * channels_, y_inside ? ((image + y) * g_.W + x0) * g_.C : -1);
          continue;
        }
        for (std::int64_t s = 0; s < g_.S; ++s) {
          const std::int64_t x = x0 + s * g_.dilation.x;
          const bool x_inside = x >= 0 && x < g_.W;
          body(column + s * channels_, channels_, x_inside ? ((image + y) * g_.W + x) * g_.C : -1);
        }
      }
    }
  }

  const Conv2dGeometry& g_;
  std::int64_t channels_, width_;
};

// One chunk's part of the backward pass: its images' pixels in order, tile by tile.
struct BackwardChunk {
  const Conv2dGeometry& g;
  const Patches& patches;
  const float *x, *w, *y, *dy;
  Activation activation;
  float *dx, *dw, *db;  // dw and db are the chunk's own sums; dx and dw may be null
  Buffer<float> matrix{patches.tile_rows() * patches.width()};
  Buffer<float> masked{patches.tile_rows() * g.K};

  void images(Range range) {
    const std::int64_t image = g.H * g.W * g.C, end = range.end * g.P * g.Q;
    if (dx != nullptr) std::fill_n(dx + range.begin * image, range.size() * image, 0.0f);
    for (std::int64_t m = range.begin * g.P * g.Q; m < end; m += patches.tile_rows()) {
      tile({m, std::min(m + patches.tile_rows(), end)});
    }
  }

  void tile(Range pixels) {
    const std::int64_t filters = g.K / g.groups, width = patches.width();
    const float* dz = dy + pixels.begin * g.K;
    if (activation == Activation::relu) {
      undo_activation(pixels.size() * g.K, y + pixels.begin * g.K, dz, masked.data());
      dz = masked.data();
    }
    add_column_sums(pixels.size(), g.K, dz, db);
    for (std::int64_t group = 0; group < g.groups; ++group) {
      const float* dz_group = dz + group * filters;
      if (dw != nullptr) {
        patches.unfold(x, group, pixels, matrix.data());
        gemm<float>(filters, width, pixels.size(), {dz_group, g.K, Use::transposed},
                    {matrix.data(), width}, Output::add, dw + group * filters * width, width);
      }
      if (dx != nullptr) {
        gemm<float>(pixels.size(), width, filters, {dz_group, g.K},
                    {w + group * filters * width, width}, Output::replace, matrix.data(), width);
        patches.fold(matrix.data(), group, pixels, dx);
      }
    }
  }
};

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
void conv2d_forward(Cpu, const Conv2dGeometry& g, const float* x, const float* w, const float* b,
                    Activation activation, float* y) {
  if (g.C == 1) return conv2d_one_channel_forward(g, x, w, b, activation, y);
  const Patches patches(g);
  const std::int64_t filters = g.K / g.groups, width = patches.width(), rows = patches.tile_rows();
  parallel_for((patches.pixels() + rows - 1) / rows, [&](std::int64_t task) {
    const Range pixels{task * rows, std::min((task + 1) * rows, patches.pixels())};
    float* out = y + pixels.begin * g.K;
    Buffer<float> matrix(rows * width);
    for (std::int64_t group = 0; group < g.groups; ++group) {
      patches.unfold(x, group, pixels, matrix.data());
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
  if (g.C == 1 && dx == nullptr)
    return conv2d_one_channel_backward(g, x, y, dy, activation, dw, db);
  const Patches patches(g);
  Partials<float> partials(g.N, g.w_size() + g.K);
  parallel_for(partials.chunks(), [&](std::int64_t index) {
    float* sums = partials.start(index);
    BackwardChunk chunk{.g = g,
                        .patches = patches,
                        .x = x,
                        .w = w,
                        .y = y,
                        .dy = dy,
                        .activation = activation,
                        .dx = dx,
                        .dw = dw == nullptr ? nullptr : sums,
                        .db = sums + g.w_size()};
    chunk.images(part(g.N, partials.chunks(), index));
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
