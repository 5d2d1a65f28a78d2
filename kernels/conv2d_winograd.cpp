#include "kernels/conv2d_winograd.h"

#include <algorithm>
#include <array>

#include "kernels/epilogue.h"
#include "kernels/float8.h"
#include "kernels/gemm.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

template <std::size_t Rows, std::size_t Columns>
using Matrix = std::array<std::array<float, Columns>, Rows>;

template <std::size_t Rows, std::size_t Columns>
constexpr Matrix<Columns, Rows> transposed(const Matrix<Rows, Columns>& m) {
  Matrix<Columns, Rows> t{};
  for (std::size_t i = 0; i < Rows; ++i) {
    for (std::size_t j = 0; j < Columns; ++j) t[j][i] = m[i][j];
  }
  return t;
}

// The three maps for interpolation at 0, a, -a, b, -b and infinity (Toom-Cook). The usual points
// are 1 and 2; with these the largest error is less than half as large, and B and A stay exact.
// NOLINTBEGIN(readability-identifier-naming): the formula's letters
namespace toom_cook {
constexpr float a = 0.75f, b = 1.5f, a2 = a * a, b2 = b * b;
constexpr float at0 = 1 / (a2 * b2), at_a = 1 / (2 * a2 * (a2 - b2)),
                at_b = 1 / (2 * b2 * (b2 - a2));
constexpr Matrix<6, 6> kBT{{{a2 * b2, 0, -a2 - b2, 0, 1, 0},
                            {0, -a* b2, -b2, a, 1, 0},
                            {0, a* b2, -b2, -a, 1, 0},
                            {0, -b* a2, -a2, b, 1, 0},
                            {0, b* a2, -a2, -b, 1, 0},
                            {0, a2* b2, 0, -a2 - b2, 0, 1}}};
constexpr Matrix<6, 3> kG{{{at0, 0, 0},
                           {at_a, a* at_a, a2* at_a},
                           {at_a, -a* at_a, a2* at_a},
                           {at_b, b* at_b, b2* at_b},
                           {at_b, -b* at_b, b2* at_b},
                           {0, 0, 1}}};
constexpr Matrix<4, 6> kAT{{{1, 1, 1, 1, 1, 0},
                            {0, a, -a, b, -b, 0},
                            {0, a2, a2, b2, b2, 0},
                            {0, a2* a, -a2* a, b2* b, -b2* b, 1}}};
}  // namespace toom_cook
// NOLINTEND(readability-identifier-naming)
using toom_cook::kAT, toom_cook::kBT, toom_cook::kG;
constexpr Matrix<6, 6> kB = transposed(kBT);
constexpr Matrix<3, 6> kGT = transposed(kG);
constexpr Matrix<6, 4> kA = transposed(kAT);
constexpr std::int64_t kTile = 4, kInput = 6, kProducts = kInput * kInput, kOutputs = kTile * kTile;

// out = M in M^T, for matrices of vectors: eight channels at a time.
template <const auto& M>
void transform(const Float8* in, Float8* out) {
  constexpr std::size_t rows = M.size(), columns = M[0].size();
  std::array<Float8, rows * columns> left;
  for (std::size_t j = 0; j < columns; ++j) {
#pragma GCC unroll 6
    for (std::size_t i = 0; i < rows; ++i) {
      Float8 sum{};
#pragma GCC unroll 6
      for (std::size_t k = 0; k < columns; ++k) {
        if (M[i][k] != 0) sum += M[i][k] * in[k * columns + j];
      }
      left[i * columns + j] = sum;
    }
  }
  for (std::size_t i = 0; i < rows; ++i) {
#pragma GCC unroll 6
    for (std::size_t j = 0; j < rows; ++j) {
      Float8 sum{};
#pragma GCC unroll 6
      for (std::size_t k = 0; k < columns; ++k) {
        if (M[j][k] != 0) sum += left[i * columns + k] * M[j][k];
      }
      out[i * rows + j] = sum;
    }
  }
}

// The tiles of an image. With a dilation of d the outputs fall into d x d grids that share no
// input; a tile lies in one of them.
class Tiles {
 public:
  explicit Tiles(const Conv2dGeometry& geometry)
      : g_(geometry), y_(g_.P, g_.dilation.y), x_(g_.Q, g_.dilation.x) {}

  std::int64_t count() const { return y_.count * x_.count; }

  // The pixels of x under a tile: their indices in the image, -1 outside.
  std::array<std::int64_t, kProducts> inputs(std::int64_t tile) const {
    return pixels<kInput>(y_.start(tile / x_.count) - g_.padding.y,
                          x_.start(tile % x_.count) - g_.padding.x, g_.H, g_.W);
  }
  // Its outputs, -1 for those beyond the last.
  std::array<std::int64_t, kOutputs> outputs(std::int64_t tile) const {
    return pixels<kTile>(y_.start(tile / x_.count), x_.start(tile % x_.count), g_.P, g_.Q);
  }

 private:
  struct Axis {
    Axis(std::int64_t size, std::int64_t step)
        : dilation(step),
          tiles((size + step * kTile - 1) / (step * kTile)),
          count(tiles * std::min(step, size)) {}
    std::int64_t start(std::int64_t index) const {
      return index / tiles + index % tiles * kTile * dilation;
    }
    std::int64_t dilation, tiles, count;
  };

  template <std::int64_t size>
  std::array<std::int64_t, size * size> pixels(std::int64_t top, std::int64_t left,
                                               std::int64_t height, std::int64_t width) const {
    std::array<std::int64_t, size * size> all;
    for (std::int64_t i = 0; i < size; ++i) {
      for (std::int64_t j = 0; j < size; ++j) {
        const std::int64_t y = top + i * g_.dilation.y, x = left + j * g_.dilation.x;
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        all[static_cast<std::size_t>(i * size + j)] = inside ? y * width + x : -1;
      }
    }
    return all;
  }

  const Conv2dGeometry& g_;
  Axis y_, x_;
};

// The pixels of one tile in an image of `channels` channels; those outside are read from and
// written to a spare pixel.
template <std::size_t size, class T>
std::array<T*, size> at(const std::array<std::int64_t, size>& pixels, T* image,
                        std::int64_t channels, T* spare) {
  std::array<T*, size> all;
  for (std::size_t i = 0; i < size; ++i) {
    all[i] = pixels[i] < 0 ? spare : image + pixels[i] * channels;
  }
  return all;
}

// [products, K, C] = G w G^T for every filter and channel.
void transform_weights(const Conv2dGeometry& g, const float* w, float* transformed) {
  parallel_for(g.K, [&](std::int64_t k) {
    for (std::int64_t c = 0; c < g.C; c += 8) {
      std::array<Float8, 9> filter;
      std::array<Float8, kProducts> out;
      for (std::int64_t t = 0; t < 9; ++t) {
        filter[static_cast<std::size_t>(t)] = load8(w + (k * 9 + t) * g.C + c);
      }
      transform<kG>(filter.data(), out.data());
      for (std::int64_t f = 0; f < kProducts; ++f) {
        store8(out[static_cast<std::size_t>(f)], transformed + (f * g.K + k) * g.C + c);
      }
    }
  });
}

// Its transpose: dw of every filter and channel.
void transform_weight_gradients(const Conv2dGeometry& g, const float* transformed, float* dw) {
  parallel_for(g.K, [&](std::int64_t k) {
    for (std::int64_t c = 0; c < g.C; c += 8) {
      std::array<Float8, kProducts> in;
      std::array<Float8, 9> filter;
      for (std::int64_t f = 0; f < kProducts; ++f) {
        in[static_cast<std::size_t>(f)] = load8(transformed + (f * g.K + k) * g.C + c);
      }
      transform<kGT>(in.data(), filter.data());
      for (std::int64_t t = 0; t < 9; ++t) {
        store8(filter[static_cast<std::size_t>(t)], dw + (k * 9 + t) * g.C + c);
      }
    }
  });
}

// Of every tile of a block and every channel the 36 factors of its products, or their sums:
// [products, tiles, channels], with a cache line between planes: a tile's values are written to all
// of them, and would otherwise often fall into the same cache set.
struct Planes {
  float* data;
  std::int64_t tiles, channels;

  static std::int64_t size(std::int64_t tiles, std::int64_t channels) {
    return kProducts * (tiles * channels + 16);
  }
  float* plane(std::int64_t product) const { return data + product * (tiles * channels + 16); }
  void store(const std::array<Float8, kProducts>& v, std::int64_t tile, std::int64_t c) const {
    for (std::size_t f = 0; f < v.size(); ++f) {
      store8(v[f], plane(static_cast<std::int64_t>(f)) + tile * channels + c);
    }
  }
  std::array<Float8, kProducts> load(std::int64_t tile, std::int64_t c) const {
    std::array<Float8, kProducts> v;
    for (std::size_t f = 0; f < v.size(); ++f) {
      v[f] = load8(plane(static_cast<std::int64_t>(f)) + tile * channels + c);
    }
    return v;
  }
};

// B^T d B of a tile of an image, to place `index` of the planes.
void transform_input(const std::array<const float*, kProducts>& pixels, const Planes& out,
                     std::int64_t index) {
  for (std::int64_t c = 0; c < out.channels; c += 8) {
    std::array<Float8, kProducts> d, product;
    for (std::size_t i = 0; i < d.size(); ++i) d[i] = load8(pixels[i] + c);
    transform<kBT>(d.data(), product.data());
    out.store(product, index, c);
  }
}

// Its transpose, for some of the channels: adds the tile's gradient to the pixels it was taken
// from.
void add_input_gradient(const Planes& in, std::int64_t index, Range channels,
                        const std::array<float*, kProducts>& pixels) {
  for (std::int64_t c = channels.begin; c < channels.end; c += 8) {
    std::array<Float8, kProducts> d;
    transform<kB>(in.load(index, c).data(), d.data());
    for (std::size_t i = 0; i < d.size(); ++i) store8(load8(pixels[i] + c) + d[i], pixels[i] + c);
  }
}

// activation(A^T m A + b): a tile of outputs.
void transform_output(const Planes& in, std::int64_t index, const float* b, Activation activation,
                      const std::array<float*, kOutputs>& pixels) {
  for (std::int64_t k = 0; k < in.channels; k += 8) {
    std::array<Float8, kOutputs> y;
    transform<kAT>(in.load(index, k).data(), y.data());
    const Float8 bias = b == nullptr ? Float8{} : load8(b + k);
    for (std::size_t i = 0; i < y.size(); ++i) {
      Float8 z = y[i] + bias;
      if (activation == Activation::relu) z = z < 0.0f ? Float8{} : z;
      store8(z, pixels[i] + k);
    }
  }
}

// Its transpose, A dz A^T; db[k] = the sum of the tile's dz.
void transform_output_gradient(const std::array<const float*, kOutputs>& y,
                               const std::array<const float*, kOutputs>& dy, Activation activation,
                               const Planes& out, std::int64_t index, float* db) {
  for (std::int64_t k = 0; k < out.channels; k += 8) {
    std::array<Float8, kOutputs> dz;
    std::array<Float8, kProducts> product;
    Float8 sum{};
    for (std::size_t i = 0; i < dz.size(); ++i) {
      dz[i] = load8(dy[i] + k);
      if (activation == Activation::relu) dz[i] = load8(y[i] + k) > 0.0f ? dz[i] : Float8{};
      sum += dz[i];
    }
    store8(sum, db + k);
    transform<kA>(dz.data(), product.data());
    out.store(product, index, k);
  }
}

// The batch in blocks of whole images: enough tiles for GEMM to run at speed, few enough for what
// is kept of them to stay in cache.
class Blocks {
 public:
  Blocks(const Conv2dGeometry& g, const Tiles& tiles)
      : images_(g.N),
        tiles_(tiles.count()),
        in_block_(std::clamp<std::int64_t>(256 / tiles_, 1, g.N)) {}

  std::int64_t most_tiles() const { return in_block_ * tiles_; }

  // Calls body(images, number of tiles) for every block in order.
  template <class Body>
  void each(Body&& body) const {
    for (std::int64_t n = 0; n < images_; n += in_block_) {
      const Range images{n, std::min(n + in_block_, images_)};
      body(images, images.size() * tiles_);
    }
  }

 private:
  std::int64_t images_, tiles_, in_block_;
};

// Calls body(index in the block, image in the batch, tile of the image), on any thread.
template <class Body>
void each_tile(Range images, std::int64_t tiles, Body&& body) {
  parallel_ranges(images.size() * tiles, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(i, images.begin + i / tiles, i % tiles);
  });
}

// dx of a block's images. A task has some channels of an image: tiles overlap.
void add_up_input_gradients(const Conv2dGeometry& g, const Tiles& tiles, Range images,
                            const Planes& in, float* dx) {
  constexpr std::int64_t kChannels = 32;
  const std::int64_t groups = (g.C + kChannels - 1) / kChannels, pixels = g.H * g.W;
  parallel_for(images.size() * groups, [&](std::int64_t task) {
    const std::int64_t image = task / groups, first = task % groups * kChannels;
    const Range channels{first, std::min(first + kChannels, g.C)};
    float* out = dx + (images.begin + image) * pixels * g.C;
    Buffer<float> spare(g.C);
    std::fill_n(spare.data(), g.C, 0.0f);
    for (std::int64_t i = 0; i < pixels; ++i) {
      std::fill_n(out + i * g.C + channels.begin, channels.size(), 0.0f);
    }
    for (std::int64_t tile = 0; tile < tiles.count(); ++tile) {
      add_input_gradient(in, image * tiles.count() + tile, channels,
                         at(tiles.inputs(tile), out, g.C, spare.data()));
    }
  });
}

}  // namespace

bool winograd_pays(const Conv2dGeometry& g) {
  if (g.R != 3 || g.S != 3 || g.stride != Size2(1) || g.groups != 1) return false;
  if (g.C % 8 != 0 || g.K % 8 != 0) return false;
  // With fewer tiles, transforming the weights costs more than it saves.
  constexpr std::int64_t kFewestTiles = 32;
  const std::int64_t tiles = Tiles(g).count();
  return g.N * tiles >= kFewestTiles && 2 * tiles * kProducts <= g.P * g.Q * 9;
}

void conv2d_winograd_forward(const Conv2dGeometry& g, const float* x, const float* w,
                             const float* b, Activation activation, float* y) {
  const Tiles tiles(g);
  const Blocks blocks(g, tiles);
  const std::int64_t weights_plane = g.K * g.C, x_image = g.H * g.W * g.C,
                     y_image = g.P * g.Q * g.K;
  Buffer<float> weights(kProducts * weights_plane), inputs(Planes::size(blocks.most_tiles(), g.C)),
      sums(Planes::size(blocks.most_tiles(), g.K)), zeros(g.C);
  std::fill_n(zeros.data(), g.C, 0.0f);
  const float* zero = zeros.data();
  transform_weights(g, w, weights.data());
  blocks.each([&](Range images, std::int64_t count) {
    const Planes in{inputs.data(), count, g.C}, out{sums.data(), count, g.K};
    each_tile(images, tiles.count(), [&](std::int64_t i, std::int64_t n, std::int64_t tile) {
      transform_input(at(tiles.inputs(tile), x + n * x_image, g.C, zero), in, i);
    });
    parallel_for(kProducts, [&](std::int64_t f) {
      gemm<float>(count, g.K, g.C, {in.plane(f), g.C},
                  {weights.data() + f * weights_plane, g.C, Use::transposed}, Output::replace,
                  out.plane(f), g.K);
    });
    each_tile(images, tiles.count(), [&](std::int64_t i, std::int64_t n, std::int64_t tile) {
      Buffer<float> spare(g.K);
      transform_output(out, i, b, activation,
                       at(tiles.outputs(tile), y + n * y_image, g.K, spare.data()));
    });
  });
}

void conv2d_winograd_backward(const Conv2dGeometry& g, const float* x, const float* w,
                              const float* y, const float* dy, Activation activation, float* dx,
                              float* dw, float* db) {
  const Tiles tiles(g);
  const Blocks blocks(g, tiles);
  const std::int64_t weights_plane = g.K * g.C, x_image = g.H * g.W * g.C,
                     y_image = g.P * g.Q * g.K;
  Buffer<float> weights(kProducts * weights_plane), d_weights(kProducts * weights_plane),
      inputs(Planes::size(blocks.most_tiles(), g.C)), sums(Planes::size(blocks.most_tiles(), g.K)),
      bias_sums(blocks.most_tiles() * g.K), zeros(std::max(g.C, g.K));
  std::fill_n(zeros.data(), std::max(g.C, g.K), 0.0f);
  const float* zero = zeros.data();
  std::fill_n(d_weights.data(), kProducts * weights_plane, 0.0f);
  if (dx != nullptr) transform_weights(g, w, weights.data());
  if (db != nullptr) std::fill_n(db, g.K, 0.0f);
  blocks.each([&](Range images, std::int64_t count) {
    const Planes in{inputs.data(), count, g.C}, out{sums.data(), count, g.K};
    each_tile(images, tiles.count(), [&](std::int64_t i, std::int64_t n, std::int64_t tile) {
      const auto outputs = tiles.outputs(tile);
      transform_output_gradient(at(outputs, y + n * y_image, g.K, zero),
                                at(outputs, dy + n * y_image, g.K, zero), activation, out, i,
                                bias_sums.data() + i * g.K);
      if (dw == nullptr) return;
      transform_input(at(tiles.inputs(tile), x + n * x_image, g.C, zero), in, i);
    });
    if (db != nullptr) add_column_sums(count, g.K, bias_sums.data(), db);
    parallel_for(kProducts, [&](std::int64_t f) {
      if (dw != nullptr) {
        gemm<float>(g.K, g.C, count, {out.plane(f), g.K, Use::transposed}, {in.plane(f), g.C},
                    Output::add, d_weights.data() + f * weights_plane, g.C);
      }
      if (dx != nullptr) {  // takes the place of the inputs, which have been used
        gemm<float>(count, g.C, g.K, {out.plane(f), g.K}, {weights.data() + f * weights_plane, g.C},
                    Output::replace, in.plane(f), g.C);
      }
    });
    if (dx != nullptr) add_up_input_gradients(g, tiles, images, in, dx);
  });
  if (dw != nullptr) transform_weight_gradients(g, d_weights.data(), dw);
}

}  // namespace drape::kernels
