// Convolution on the CPU in f32; in f64: conv2d_reference.cpp.
#include "kernels/conv2d.h"

#include <algorithm>

#include "kernels/conv2d_few_channels.h"
#include "kernels/conv2d_one_channel.h"
#include "kernels/conv2d_winograd.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/partials.h"

namespace drape::kernels {
namespace {

// A rectangle of every image's output, and the filter's taps that matter there.
struct Region {
  Range p, q, r, s;

  std::int64_t pixels() const { return p.size() * q.size(); }
  std::int64_t taps() const { return r.size() * s.size(); }
};

// Positions [begin, end) along one axis that have the same taps inside the image.
struct Stretch {
  Range positions, taps;
};

RecycledVector<Stretch> stretches(std::int64_t outputs, std::int64_t inputs, std::int64_t window,
                                  std::int64_t stride, std::int64_t padding,
                                  std::int64_t dilation) {
  RecycledVector<Stretch> all;
  for (std::int64_t p = 0; p < outputs; ++p) {
    const auto inside = [&](std::int64_t r) {
      const std::int64_t at = p * stride - padding + r * dilation;
      return at >= 0 && at < inputs;
    };
    Range taps{0, window};
    while (taps.begin < taps.end && !inside(taps.begin)) ++taps.begin;
    while (taps.begin < taps.end && !inside(taps.end - 1)) --taps.end;
    if (!all.empty() && all.back().taps == taps) {
      all.back().positions.end = p + 1;
    } else {
      all.push_back({{p, p + 1}, taps});
    }
  }
  return all;
}

// The whole output with all taps; where at least a quarter of the products would be with pixels
// outside the image, as for large dilations, in parts that leave those out.
RecycledVector<Region> regions_of(const Conv2dGeometry& g) {
  RecycledVector<Region> parts;
  std::int64_t products = 0;
  for (const Stretch& y : stretches(g.P, g.H, g.R, g.stride.y, g.padding.y, g.dilation.y)) {
    for (const Stretch& x : stretches(g.Q, g.W, g.S, g.stride.x, g.padding.x, g.dilation.x)) {
      parts.push_back({y.positions, x.positions, y.taps, x.taps});
      products += parts.back().pixels() * parts.back().taps();
    }
  }
  const Region whole{{0, g.P}, {0, g.Q}, {0, g.R}, {0, g.S}};
  if (4 * products > 3 * whole.pixels() * whole.taps()) return RecycledVector<Region>(1, whole);
  return parts;
}

// A region's pixels, counted through the batch, with their patches unfolded: a matrix of one row
// per pixel and one column per weight of a filter, in the filters' own order (r, s, c).
class Patches {
 public:
  Patches(const Conv2dGeometry& geometry, const Region& region)
      : g_(geometry),
        region_(region),
        channels_(g_.C / g_.groups),
        width_(region.taps() * channels_) {}

  std::int64_t width() const { return width_; }
  std::int64_t pixels() const { return g_.N * region_.pixels(); }
  Range pixels_of(Range images) const {
    return {images.begin * region_.pixels(), images.end * region_.pixels()};
  }

  // Rows of a matrix that stays in the second-level cache, and enough of them to keep GEMM busy.
  std::int64_t tile_rows() const {
    constexpr std::int64_t kElements = 1 << 16, kFewestRows = 192;
    return std::min(std::max(kElements / (width_ + 1), kFewestRows), pixels());
  }

  // Calls body(n, p, q) for some of the region's pixels, counted through the batch.
  template <class Body>
  void each_pixel(Range pixels, Body&& body) const {
    const std::int64_t line = pixels.begin / region_.q.size();
    std::int64_t n = line / region_.p.size(), p = region_.p.begin + line % region_.p.size();
    std::int64_t q = region_.q.begin + pixels.begin % region_.q.size();
    for (std::int64_t left = pixels.size(); left > 0; --left) {
      body(n, p, q);
      if (++q < region_.q.end) continue;
      q = region_.q.begin;
      if (++p < region_.p.end) continue;
      p = region_.p.begin;
      ++n;
    }
  }

  // Whether they are all of y's pixels, which then lie in y as here.
  bool whole() const { return region_.pixels() == g_.P * g_.Q; }

  // Calls body(first element, first element of y, how many) for runs of outputs, K a pixel, that
  // lie together in both.
  template <class Body>
  void each_output(Range pixels, Body&& body) const {
    if (whole()) return body(std::int64_t{0}, pixels.begin * g_.K, pixels.size() * g_.K);
    std::int64_t row = 0;
    each_pixel(pixels, [&](std::int64_t n, std::int64_t p, std::int64_t q) {
      body(row, ((n * g_.P + p) * g_.Q + q) * g_.K, g_.K);
      row += g_.K;
    });
  }

  // matrix[m] = the patch of pixel pixels.begin + m; zero outside the image.
  void unfold(const float* x, std::int64_t group, Range pixels, float* matrix) const {
    each_run(pixels, [&](std::int64_t column, std::int64_t run, std::int64_t source) {
      if (source < 0) {
        std::fill_n(matrix + column, run, 0.0f);
      } else {
        std::copy_n(x + source + group * channels_, run, matrix + column);
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

  // Calls body(first column of the matrix, first weight of the filter, how many) for runs of
  // weights that lie together in both.
  template <class Body>
  void each_strip(Body&& body) const {
    if (width_ == 0) return;
    const std::int64_t strip = region_.s.size() * channels_, row = g_.S * channels_;
    if (strip == row) return body(std::int64_t{0}, region_.r.begin * row, width_);
    for (std::int64_t r = region_.r.begin; r < region_.r.end; ++r) {
      body((r - region_.r.begin) * strip, r * row + region_.s.begin * channels_, strip);
    }
  }

 private:
  // Calls body(first element in the matrix, length, first element in x or -1 outside the image) for
  // runs of elements that lie together in both. Neighbouring taps join into one run when neither
  // dilation nor groups part them.
  template <class Body>
  void each_run(Range pixels, Body&& body) const {
    const bool joined = g_.dilation.x == 1 && g_.groups == 1;
    const std::int64_t strip = region_.s.size() * channels_;
    std::int64_t column = 0;
    each_pixel(pixels, [&](std::int64_t n, std::int64_t p, std::int64_t q) {
      const std::int64_t y0 = p * g_.stride.y - g_.padding.y;
      const std::int64_t x0 = q * g_.stride.x - g_.padding.x + region_.s.begin * g_.dilation.x;
      const bool inside = joined && x0 >= 0 && x0 + region_.s.size() <= g_.W;
      for (std::int64_t r = region_.r.begin; r < region_.r.end; ++r) {
        const std::int64_t y = y0 + r * g_.dilation.y, line = (n * g_.H + y) * g_.W;
        const bool y_inside = y >= 0 && y < g_.H;
        if (!y_inside || inside) {
          body(column, strip, y_inside ? (line + x0) * g_.C : -1);
          column += strip;
          continue;
        }
        for (std::int64_t s = 0; s < region_.s.size(); ++s, column += channels_) {
          const std::int64_t x = x0 + s * g_.dilation.x;
          body(column, channels_, x >= 0 && x < g_.W ? (line + x) * g_.C : -1);
        }
      }
    });
  }

  const Conv2dGeometry& g_;
  Region region_;
  std::int64_t channels_, width_;
};

// y of some of a region's pixels.
void forward_tile(const Conv2dGeometry& g, const Patches& patches, Range pixels, const float* x,
                  const float* w, const float* b, Activation activation, float* y) {
  const std::int64_t filters = g.K / g.groups, filter = g.w_size() / g.K;
  Buffer<float> matrix(pixels.size() * patches.width());
  Buffer<float> apart(patches.whole() ? 0 : pixels.size() * g.K);
  float* const z = patches.whole() ? y + pixels.begin * g.K : apart.data();
  if (patches.width() == 0) std::fill_n(z, pixels.size() * g.K, 0.0f);
  for (std::int64_t group = 0; group < g.groups; ++group) {
    patches.unfold(x, group, pixels, matrix.data());
    patches.each_strip([&](std::int64_t column, std::int64_t weight, std::int64_t width) {
      gemm<float>(pixels.size(), filters, width, {matrix.data() + column, patches.width()},
                  {w + group * filters * filter + weight, filter, Use::transposed},
                  column == 0 ? Output::replace : Output::add, z + group * filters, g.K);
    });
  }
  add_bias_activate(pixels.size(), g.K, b, activation, z, g.K);
  if (patches.whole()) return;
  patches.each_output(pixels, [&](std::int64_t first, std::int64_t out, std::int64_t size) {
    std::copy_n(z + first, size, y + out);
  });
}

// The gradients that come from some of a region's pixels are added. dx and dw may be null.
void backward_tile(const Conv2dGeometry& g, const Patches& patches, Range pixels, const float* x,
                   const float* w, const Conv2dOutput<const float>& output, const float* dy,
                   const Conv2dGradients<float>& d) {
  const std::int64_t filters = g.K / g.groups, filter = g.w_size() / g.K;
  Buffer<float> matrix(pixels.size() * patches.width()), dz(pixels.size() * g.K);
  patches.each_output(pixels, [&](std::int64_t first, std::int64_t out, std::int64_t size) {
    if (output.activation == Activation::relu) {
      undo_activation(size, output.y + out, dy + out, dz.data() + first);
    } else {
      std::copy_n(dy + out, size, dz.data() + first);
    }
  });
  add_column_sums(pixels.size(), g.K, dz.data(), d.db);
  for (std::int64_t group = 0; group < g.groups; ++group) {
    const float* dz_group = dz.data() + group * filters;
    const std::int64_t first = group * filters * filter;
    if (d.dw != nullptr) {
      patches.unfold(x, group, pixels, matrix.data());
      patches.each_strip([&](std::int64_t column, std::int64_t weight, std::int64_t width) {
        gemm<float>(filters, width, pixels.size(), {dz_group, g.K, Use::transposed},
                    {matrix.data() + column, patches.width()}, Output::add, d.dw + first + weight,
                    filter);
      });
    }
    if (d.dx != nullptr) {
      patches.each_strip([&](std::int64_t column, std::int64_t weight, std::int64_t width) {
        gemm<float>(pixels.size(), width, filters, {dz_group, g.K}, {w + first + weight, filter},
                    Output::replace, matrix.data() + column, patches.width());
      });
      patches.fold(matrix.data(), group, pixels, d.dx);
    }
  }
}

// Every output, activated.
void forward(const Conv2dGeometry& g, const float* x, const float* w, const float* b,
             Activation activation, float* y) {
  if (g.C == 1) return conv2d_one_channel_forward(g, x, w, b, {activation, y});
  if (has_few_channels(g)) return conv2d_few_channels_forward(g, x, w, b, activation, y);
  if (winograd_pays(g)) return conv2d_winograd_forward(g, x, w, b, {activation, y});
  struct Tile {
    Patches patches;
    Range pixels;
  };
  RecycledVector<Tile> tiles;
  for (const Region& region : regions_of(g)) {
    const Patches patches(g, region);
    const std::int64_t rows = patches.tile_rows();
    for (std::int64_t m = 0; m < patches.pixels(); m += rows)
      tiles.push_back({patches, {m, std::min(m + rows, patches.pixels())}});
  }
  parallel_for(static_cast<std::int64_t>(tiles.size()), [&](std::int64_t i) {
    const Tile& tile = tiles[static_cast<std::size_t>(i)];
    forward_tile(g, tile.patches, tile.pixels, x, w, b, activation, y);
  });
}

void backward(const Conv2dGeometry& g, const float* x, const float* w,
              const Conv2dOutput<const float>& out, const float* dy,
              const Conv2dGradients<float>& d) {
  if (g.C == 1 && d.dx == nullptr) return conv2d_one_channel_backward(g, x, out, dy, d);
  if (winograd_pays(g)) return conv2d_winograd_backward(g, x, w, out, dy, d);
  const RecycledVector<Region> regions = regions_of(g);
  Partials<float> partials(g.N, g.w_size() + g.K);
  parallel_for(partials.chunks(), [&](std::int64_t chunk) {
    const Range images = part(g.N, partials.chunks(), chunk);
    const std::int64_t image = g.x_image();
    float *dw = partials.start(chunk), *db = dw + g.w_size();
    if (d.dx != nullptr) std::fill_n(d.dx + images.begin * image, images.size() * image, 0.0f);
    for (const Region& region : regions) {
      const Patches patches(g, region);
      const Range all = patches.pixels_of(images);
      for (std::int64_t m = all.begin; m < all.end; m += patches.tile_rows()) {
        backward_tile(g, patches, {m, std::min(m + patches.tile_rows(), all.end)}, x, w, out, dy,
                      {d.dx, d.dw == nullptr ? nullptr : dw, db});
      }
    }
  });
  if (d.dw != nullptr) partials.add_up(0, g.w_size(), d.dw);
  if (d.db != nullptr) partials.add_up(g.w_size(), g.K, d.db);
}

// Winograd's tiles are whole windows where their outputs lie side by side.
bool pools_in_winograd(const Conv2dGeometry& g) {
  return g.dilation == Size2(1) && winograd_pays(g);
}

}  // namespace

template <>
void conv2d_forward(Cpu, const Conv2dGeometry& g, const float* x, const float* w, const float* b,
                    const Conv2dOutput<float>& out) {
  if (out.cell == nullptr) return forward(g, x, w, b, out.activation, out.y);
  if (g.C == 1) return conv2d_one_channel_forward(g, x, w, b, out);
  if (pools_in_winograd(g)) return conv2d_winograd_forward(g, x, w, b, out);
  Buffer<float> z(g.y_size());
  forward(g, x, w, b, out.activation, z.data());
  pool_windows(g, z.data(), out);
}

template <>
void conv2d_backward(Cpu cpu, const Conv2dGeometry& g, const float* x, const float* w,
                     const Conv2dOutput<const float>& out, const float* dy,
                     const Conv2dGradients<float>& d) {
  if (out.cell == nullptr) return backward(g, x, w, out, dy, d);
  if (g.C == 1 && d.dx == nullptr) return conv2d_one_channel_backward(g, x, out, dy, d);
  if (pools_in_winograd(g)) return conv2d_winograd_backward(g, x, w, out, dy, d);
  Buffer<float> dz(g.y_size());
  max_pool2d_backward(cpu, windows_of(g), dy, out.cell, dz.data());
  backward(g, x, w, {}, dz.data(), d);
}

}  // namespace drape::kernels
