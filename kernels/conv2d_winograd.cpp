#include "kernels/conv2d_winograd.h"

#include <algorithm>
#include <array>

#include "kernels/float8.h"
#include "kernels/memory.h"
#include "kernels/panel_gemm.h"
#include "kernels/parallel.h"
#include "kernels/partials.h"
#include "kernels/window_max.h"
#include "kernels/winograd_tiles.h"
#include "kernels/winograd_transform.h"

// Inlined into one large function the transforms would not keep to the registers.
#define DRAPE_APART [[gnu::noinline]]

namespace drape::kernels {
namespace {

using namespace winograd;

using Outputs = std::array<Float8, kOutputs>;

// The outputs of window i of a tile.
Window8 window(const Outputs& z, std::size_t i) {
  const std::size_t first = i / 2 * 2 * kTile + i % 2 * 2;
  return {z[first], z[first + 1], z[first + kTile], z[first + kTile + 1]};
}
void set_window(const Window8& from, std::size_t i, Outputs& z) {
  const std::size_t first = i / 2 * 2 * kTile + i % 2 * 2;
  z[first] = from[0], z[first + 1] = from[1];
  z[first + kTile] = from[2], z[first + kTile + 1] = from[3];
}

// What pixels outside an image are read from, or written to: zero at first.
struct Spare {
  explicit Spare(std::int64_t channels) : values(channels), cells(channels) {
    std::fill_n(values.data(), channels, 0.0f);
    std::fill_n(cells.data(), channels, std::uint8_t{0});
  }
  Buffer<float> values;
  Buffer<std::uint8_t> cells;
};

// The pixels of one tile in an image of `channels` channels.
template <std::size_t size, class T>
std::array<T*, size> at(const std::array<std::int64_t, size>& pixels, T* image,
                        std::int64_t channels, T* spare) {
  std::array<T*, size> all;
  for (std::size_t i = 0; i < size; ++i) {
    all[i] = pixels[i] < 0 ? spare : image + pixels[i] * channels;
  }
  return all;
}

// The transformed filters of all products, as panels of a product's right matrix: rows are the
// channels that it sums over, columns those that it makes.
class Weights {
 public:
  Weights(std::int64_t rows, std::int64_t columns)
      : rows_(in_panels(rows)), plane_(rows_ * in_panels(columns)), data_(kProducts * plane_) {
    if (plane_ != rows * columns) std::fill_n(data_.data(), kProducts * plane_, 0.0f);
  }

  float* at(std::size_t product, std::int64_t row, std::int64_t column) {
    return data_.data() + product * plane_ + (column / kPanel * rows_ + row) * kPanel +
           column % kPanel;
  }

 private:
  std::int64_t rows_, plane_;
  Buffer<float> data_;
};

// G w G^T of filter k, for eight channels from c on.
template <class Store>
void transform_filter(const Conv2dGeometry& g, const float* w, std::int64_t k, std::int64_t c,
                      Store&& store) {
  transform<FromFilter>([&](std::size_t t) { return load8(w + (k * 9 + t) * g.C + c); }, store);
}

// What forward multiplies with, channels by filters, and backward, filters by channels.
DRAPE_APART void transform_weights(const Conv2dGeometry& g, const float* w, Weights& out) {
  parallel_for(in_panels(g.K) / kPanel, [&](std::int64_t panel) {
    for (std::int64_t k = panel * kPanel; k < std::min((panel + 1) * kPanel, g.K); k += 8) {
      const std::int64_t filters = std::min<std::int64_t>(8, g.K - k);
      std::array<std::array<Float8, 8>, kProducts> products{};
      for (std::int64_t c = 0; c < g.C; c += 8) {
        for (std::int64_t i = 0; i < filters; ++i) {
          transform_filter(g, w, k + i, c,
                           [&](std::size_t f, Float8 value) { products[f][i] = value; });
        }
        for (std::size_t f = 0; f < kProducts; ++f) {
          const std::array<Float8, 8> rows = transposed(products[f]);
          for (std::int64_t i = 0; i < 8; ++i) store8(rows[i], out.at(f, c + i, k));
        }
      }
    }
  });
}
DRAPE_APART void transform_weights_transposed(const Conv2dGeometry& g, const float* w,
                                              Weights& out) {
  parallel_for(g.K, [&](std::int64_t k) {
    for (std::int64_t c = 0; c < g.C; c += 8) {
      transform_filter(g, w, k, c,
                       [&](std::size_t f, Float8 value) { store8(value, out.at(f, k, c)); });
    }
  });
}

// dw of every filter and channel, from the gradient of what transform_weights_transposed() makes.
DRAPE_APART void transform_weight_gradients(const Conv2dGeometry& g, Weights& transformed,
                                            float* dw) {
  for (std::int64_t k = 0; k < g.K; ++k) {
    for (std::int64_t c = 0; c < g.C; c += 8) {
      transform<ToFilter>(
          [&](std::size_t f) { return load8(transformed.at(f, k, c)); },
          [&](std::size_t t, Float8 value) { store8(value, dw + (k * 9 + t) * g.C + c); });
    }
  }
}

// Of every tile of a block and every channel the 36 factors of its products, or their sums, in
// panels: [products, channels / 16, tiles, 16]. A cache line lies between products: a tile's values
// are written to all of them, and would otherwise often fall into the same cache set.
class Planes {
 public:
  Planes(std::int64_t tiles, std::int64_t channels)
      : tiles_(tiles),
        channels_(channels),
        plane_(tiles * in_panels(channels) + kPanel),
        data_(kProducts * plane_) {
    if (channels % kPanel != 0) std::fill_n(data_.data(), kProducts * plane_, 0.0f);
  }

  std::int64_t channels() const { return channels_; }
  float* panel(std::size_t product, std::int64_t channel) {
    return data_.data() + product * plane_ + channel / kPanel * tiles_ * kPanel;
  }
  // One product as the left matrix: tiles by channels, or transposed, from a channel on.
  LeftMatrix<kPanel, 1> by_tile(std::size_t product) {
    return {panel(product, 0), kPanel, tiles_ * kPanel};
  }
  LeftMatrix<1, kPanel> by_channel(std::size_t product, std::int64_t channel, std::int64_t tiles) {
    return {panel(product, channel), tiles, 0};
  }

  // Loads and stores one tile's products for eight channels.
  auto load(std::int64_t tile, std::int64_t c) {
    return [from = panel(0, c) + tile * kPanel + c % kPanel, plane = plane_](std::size_t product) {
      return load8(from + product * plane);
    };
  }
  auto store(std::int64_t tile, std::int64_t c) {
    return [to = panel(0, c) + tile * kPanel + c % kPanel, plane = plane_](
               std::size_t product, Float8 value) { store8(value, to + product * plane); };
  }

 private:
  std::int64_t tiles_, channels_, plane_;
  Buffer<float> data_;
};

// B^T d B of a tile of an image, to place `index` of the planes.
DRAPE_APART void transform_input(const std::array<const float*, kProducts>& pixels, Planes& out,
                                 std::int64_t index) {
  for (std::int64_t c = 0; c < out.channels(); c += 8) {
    transform<ToProducts>([&](std::size_t i) { return load8(pixels[i] + c); }, out.store(index, c));
  }
}

// Its transpose: adds the tile's gradient to the pixels it was taken from.
DRAPE_APART void add_input_gradient(Planes& in, std::int64_t index,
                                    const std::array<float*, kProducts>& pixels) {
  for (std::int64_t c = 0; c < in.channels(); c += 8) {
    transform<FromProducts>(in.load(index, c), [&](std::size_t i, Float8 d) {
      store8(load8(pixels[i] + c) + d, pixels[i] + c);
    });
  }
}

// Where the outputs of a tile go: each to its pixel of y, or the largest of each window.
class OutputTile {
 public:
  OutputTile(const Conv2dGeometry& g, Tiles& tiles, const Conv2dOutput<float>& out,
             std::int64_t index, Spare& spare)
      : filters_(g.K), relu_(out.activation == Activation::relu), pooled_(out.cell != nullptr) {
    const std::int64_t n = index / tiles.count(), tile = index % tiles.count();
    if (pooled_) {
      const std::int64_t image = n * (g.P / 2) * (g.Q / 2) * g.K;
      largest_ = at(tiles.windows(tile), out.y + image, g.K, spare.values.data());
      cells_ = at(tiles.windows(tile), out.cell + image, g.K, spare.cells.data());
    } else {
      y_ = at(tiles.outputs(tile), out.y + n * g.P * g.Q * g.K, g.K, spare.values.data());
    }
  }

  void store(std::int64_t k, const Outputs& z) const {
    if (pooled_) {
      for (std::size_t i = 0; i < cells_.size(); ++i) {
        store_window_max(window(z, i), relu_, largest_[i] + k, cells_[i] + k, filters_ - k);
      }
    } else {
      for (std::size_t i = 0; i < z.size(); ++i) {
        store8(relu_ ? (z[i] < 0.0f ? Float8{} : z[i]) : z[i], y_[i] + k, filters_ - k);
      }
    }
  }

 private:
  std::int64_t filters_;
  bool relu_, pooled_;
  std::array<float*, kOutputs> y_{};
  std::array<float*, kWindows> largest_{};
  std::array<std::uint8_t*, kWindows> cells_{};
};

// The gradient of a tile's z, from y and dy, or from the cells and dy.
class GradientTile {
 public:
  GradientTile(const Conv2dGeometry& g, Tiles& tiles, const Conv2dOutput<const float>& out,
               const float* dy, std::int64_t index, Spare& spare)
      : filters_(g.K), relu_(out.activation == Activation::relu), pooled_(out.cell != nullptr) {
    const std::int64_t n = index / tiles.count(), tile = index % tiles.count();
    const float* zero = spare.values.data();
    if (pooled_) {
      const std::int64_t image = n * (g.P / 2) * (g.Q / 2) * g.K;
      const std::uint8_t *cell = out.cell + image, *no_cell = spare.cells.data();
      largest_ = at(tiles.windows(tile), dy + image, g.K, zero);
      cells_ = at(tiles.windows(tile), cell, g.K, no_cell);
    } else {
      const std::int64_t image = n * g.P * g.Q * g.K;
      dy_ = at(tiles.outputs(tile), dy + image, g.K, zero);
      if (relu_) y_ = at(tiles.outputs(tile), out.y + image, g.K, zero);
    }
  }

  Outputs load(std::int64_t k) const {
    Outputs dz;
    if (pooled_) {
      for (std::size_t i = 0; i < cells_.size(); ++i) {
        set_window(window_gradient(largest_[i] + k, cells_[i] + k, filters_ - k), i, dz);
      }
    } else {
      for (std::size_t i = 0; i < dz.size(); ++i) {
        dz[i] = load8(dy_[i] + k, filters_ - k);
        if (relu_) dz[i] = load8(y_[i] + k, filters_ - k) > 0.0f ? dz[i] : Float8{};
      }
    }
    return dz;
  }

 private:
  std::int64_t filters_;
  bool relu_, pooled_;
  std::array<const float*, kOutputs> y_{}, dy_{};
  std::array<const float*, kWindows> largest_{};
  std::array<const std::uint8_t*, kWindows> cells_{};
};

// A^T m A + b, the outputs of the tile at place `index` of the planes.
DRAPE_APART void transform_output(Planes& in, std::int64_t index, const float* bias,
                                  const OutputTile& tile) {
  for (std::int64_t k = 0; k < in.channels(); k += 8) {
    Outputs z;
    const Float8 added = bias == nullptr ? Float8{} : load8(bias + k, in.channels() - k);
    transform<ToOutputs>(in.load(index, k),
                         [&](std::size_t i, Float8 value) { z[i] = value + added; });
    tile.store(k, z);
  }
}

// Its transpose, A dz A^T; adds the sum of the tile's dz to db.
DRAPE_APART void transform_output_gradient(const GradientTile& tile, Planes& out,
                                           std::int64_t index, float* db) {
  for (std::int64_t k = 0; k < out.channels(); k += 8) {
    const Outputs dz = tile.load(k);
    Float8 sum{};
    for (const Float8& value : dz) sum += value;
    const std::int64_t count = out.channels() - k;
    store8(load8(db + k, count) + sum, db + k, count);
    transform<FromOutputs>([&](std::size_t i) { return dz[i]; }, out.store(index, k));
  }
}

// Tiles at a time: few enough for what is kept of them to stay in a core's cache.
constexpr std::int64_t kTilesOfBlock = 32;

// The pixels of x, or of dx, under tile `index` of the batch.
template <class T>
std::array<T*, kProducts> input_tile(const Conv2dGeometry& g, Tiles& tiles, T* x,
                                     std::int64_t index, Spare& spare) {
  return at<kProducts, T>(tiles.inputs(index % tiles.count()),
                          x + index / tiles.count() * g.H * g.W * g.C, g.C, spare.values.data());
}

void clear_images(const Conv2dGeometry& g, Range images, float* dx) {
  const std::int64_t image = g.H * g.W * g.C;
  std::fill_n(dx + images.begin * image, images.size() * image, 0.0f);
}

// The products of a block of `count` tiles, forward.
void multiply(Planes& in, Weights& weights, std::int64_t count, Planes& out) {
  for (std::size_t f = 0; f < kProducts; ++f) {
    for (std::int64_t k = 0; k < out.channels(); k += kPanel) {
      multiply_panel(count, in_panels(in.channels()), in.by_tile(f), weights.at(f, 0, k),
                     Sum::replace, out.panel(f, k));
    }
  }
}

// The gradient of the weights grows by the products of a block's inputs and output gradients.
DRAPE_APART void add_weight_gradients(Planes& in, Planes& out, std::int64_t count, Sum sum,
                                      Weights& d_weights) {
  for (std::size_t f = 0; f < kProducts; ++f) {
    for (std::int64_t c = 0; c < in.channels(); c += kPanel) {
      for (std::int64_t k = 0; k < out.channels(); k += kPanel) {
        multiply_panel(kPanel, count, out.by_channel(f, k, count), in.panel(f, c), sum,
                       d_weights.at(f, k, c));
      }
    }
  }
}

}  // namespace

bool winograd_pays(const Conv2dGeometry& g) {
  if (g.R != 3 || g.S != 3 || g.stride != Size2(1) || g.groups != 1) return false;
  if (g.C % 8 != 0 || g.K < 8) return false;
  // With fewer tiles, transforming the weights costs more than it saves.
  constexpr std::int64_t kFewestTiles = 32;
  const std::int64_t tiles = tile_count(g);
  return g.N * tiles >= kFewestTiles && 2 * tiles * kProducts <= g.P * g.Q * 9;
}

void conv2d_winograd_forward(const Conv2dGeometry& g, const float* x, const float* w,
                             const float* bias, const Conv2dOutput<float>& output) {
  Tiles tiles(g);
  Weights weights(g.C, g.K);
  transform_weights(g, w, weights);
  const std::int64_t all = g.N * tiles.count();
  parallel_for((all + kTilesOfBlock - 1) / kTilesOfBlock, [&](std::int64_t task) {
    const Range block{task * kTilesOfBlock, std::min((task + 1) * kTilesOfBlock, all)};
    Planes in(kTilesOfBlock, g.C), out(kTilesOfBlock, g.K);
    Spare spare(g.K), zeros(g.C);
    for (std::int64_t i = block.begin; i < block.end; ++i) {
      transform_input(input_tile(g, tiles, x, i, zeros), in, i - block.begin);
    }
    multiply(in, weights, block.size(), out);
    for (std::int64_t i = block.begin; i < block.end; ++i) {
      transform_output(out, i - block.begin, bias, OutputTile(g, tiles, output, i, spare));
    }
  });
}

void conv2d_winograd_backward(const Conv2dGeometry& g, const float* x, const float* w,
                              const Conv2dOutput<const float>& output, const float* dy,
                              const Conv2dGradients<float>& d) {
  Tiles tiles(g);
  Weights weights(g.K, g.C);
  if (d.dx != nullptr) transform_weights_transposed(g, w, weights);
  // What a chunk does once, for its weights, costs as much as several tiles.
  constexpr std::int64_t kTilesOfChunk = 64, kMostChunks = 16;
  const std::int64_t chunks =
      std::clamp<std::int64_t>(g.N * tiles.count() / kTilesOfChunk, 1, std::min(g.N, kMostChunks));
  Partials<float> partials(Partials<float>::Chunks{chunks}, g.w_size() + g.K);
  parallel_for(chunks, [&](std::int64_t chunk) {
    float *dw = partials.start(chunk), *db = dw + g.w_size();
    const Range images = part(g.N, chunks, chunk);
    const Range all{images.begin * tiles.count(), images.end * tiles.count()};
    Planes in(kTilesOfBlock, g.C), out(kTilesOfBlock, g.K);
    Weights d_weights(g.K, g.C);
    Spare zeros(std::max(g.C, g.K)), spare(g.C);
    if (d.dx != nullptr) clear_images(g, images, d.dx);
    for (std::int64_t begin = all.begin; begin < all.end; begin += kTilesOfBlock) {
      const Range block{begin, std::min(begin + kTilesOfBlock, all.end)};
      for (std::int64_t i = block.begin; i < block.end; ++i) {
        const GradientTile tile(g, tiles, output, dy, i, zeros);
        transform_output_gradient(tile, out, i - begin, db);
        if (d.dw == nullptr) continue;
        transform_input(input_tile(g, tiles, x, i, zeros), in, i - begin);
      }
      if (d.dw != nullptr) {
        const Sum sum = begin == all.begin ? Sum::replace : Sum::add;
        add_weight_gradients(in, out, block.size(), sum, d_weights);
      }
      if (d.dx == nullptr) continue;
      multiply(out, weights, block.size(), in);  // the inputs have been used
      for (std::int64_t i = block.begin; i < block.end; ++i) {
        add_input_gradient(in, i - begin, input_tile(g, tiles, d.dx, i, spare));
      }
    }
    if (d.dw != nullptr) transform_weight_gradients(g, d_weights, dw);
  });
  if (d.dw != nullptr) partials.add_up(0, g.w_size(), d.dw);
  if (d.db != nullptr) partials.add_up(g.w_size(), g.K, d.db);
}

}  // namespace drape::kernels
