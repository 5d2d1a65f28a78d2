#include "kernels/conv2d_winograd.h"

#include <algorithm>
#include <array>

#include "kernels/ceil_div.h"
#include "kernels/memory.h"
#include "kernels/panel_gemm.h"
#include "kernels/parallel.h"
#include "kernels/partials.h"
#include "kernels/winograd_outputs.h"
#include "kernels/winograd_tiles.h"
#include "kernels/winograd_transform.h"
#include "kernels/winograd_weights.h"

namespace drape::kernels {
namespace {

using namespace winograd;

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
    return data_.data() + index(product, channel);
  }
  const float* panel(std::size_t product, std::int64_t channel) const {
    return data_.data() + index(product, channel);
  }
  // One product as the left matrix: tiles by channels, or transposed, from a channel on.
  LeftMatrix<kPanel, 1> by_tile(std::size_t product) const {
    return {panel(product, 0), kPanel, tiles_ * kPanel};
  }
  LeftMatrix<1, kPanel> by_channel(std::size_t product, std::int64_t channel,
                                   std::int64_t tiles) const {
    return {panel(product, channel), tiles, 0};
  }

  // Loads and stores one tile's products for eight channels.
  auto load(std::int64_t tile, std::int64_t c) const {
    return [from = panel(0, c) + tile * kPanel + c % kPanel, plane = plane_](std::size_t product) {
      return load8(from + product * plane);
    };
  }
  auto store(std::int64_t tile, std::int64_t c) {
    return [to = panel(0, c) + tile * kPanel + c % kPanel, plane = plane_](
               std::size_t product, Float8 value) { store8(value, to + product * plane); };
  }

 private:
  std::int64_t index(std::size_t product, std::int64_t channel) const {
    return product * plane_ + channel / kPanel * tiles_ * kPanel;
  }

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
DRAPE_APART void add_input_gradient(const Planes& in, std::int64_t index,
                                    const std::array<float*, kProducts>& pixels) {
  for (std::int64_t c = 0; c < in.channels(); c += 8) {
    transform<FromProducts>(in.load(index, c), [&](std::size_t i, Float8 d) {
      store8(load8(pixels[i] + c) + d, pixels[i] + c);
    });
  }
}

// A^T m A + b, the outputs of the tile at place `index` of the planes.
DRAPE_APART void transform_output(const Planes& in, std::int64_t index, const float* bias,
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
std::array<T*, kProducts> input_tile(const Conv2dGeometry& g, const Tiles& tiles, T* x,
                                     std::int64_t index, Spare& spare) {
  return pixels_of<kProducts, T>(tiles.inputs(index % tiles.count()),
                                 x + index / tiles.count() * g.x_image(), g.C, spare.values.data());
}

void clear_images(const Conv2dGeometry& g, Range images, float* dx) {
  const std::int64_t image = g.x_image();
  std::fill_n(dx + images.begin * image, images.size() * image, 0.0f);
}

// The products of a block of `count` tiles, forward.
void multiply(const Planes& in, const Weights& weights, std::int64_t count, Planes& out) {
  for (std::size_t f = 0; f < kProducts; ++f) {
    for (std::int64_t k = 0; k < out.channels(); k += kPanel) {
      multiply_panel(count, in_panels(in.channels()), in.by_tile(f), weights.at(f, 0, k),
                     Sum::replace, out.panel(f, k));
    }
  }
}

// The gradient of the weights grows by the products of a block's inputs and output gradients.
DRAPE_APART void add_weight_gradients(const Planes& in, const Planes& out, std::int64_t count,
                                      Sum sum, Weights& d_weights) {
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
  const Tiles tiles(g);
  Weights weights(g.C, g.K);
  transform_weights(g, w, weights);
  const std::int64_t all = g.N * tiles.count();
  parallel_for(ceil_div(all, kTilesOfBlock), [&](std::int64_t task) {
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
  const Tiles tiles(g);
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
