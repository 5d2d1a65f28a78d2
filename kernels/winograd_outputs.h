// Where Winograd's tiles write their outputs, and whence they read the gradients of these.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/float8.h"
#include "kernels/memory.h"
#include "kernels/window_max.h"
#include "kernels/winograd_tiles.h"

namespace drape::kernels::winograd {

using Outputs = std::array<Float8, kOutputs>;

// The outputs of window i of a tile.
inline Window8 window(const Outputs& z, std::size_t i) {
  const std::size_t first = i / 2 * 2 * kTile + i % 2 * 2;
  return {z[first], z[first + 1], z[first + kTile], z[first + kTile + 1]};
}
inline void set_window(const Window8& from, std::size_t i, Outputs& z) {
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
std::array<T*, size> pixels_of(const std::array<std::int64_t, size>& pixels, T* image,
                               std::int64_t channels, T* spare) {
  std::array<T*, size> all;
  for (std::size_t i = 0; i < size; ++i) {
    all[i] = pixels[i] < 0 ? spare : image + pixels[i] * channels;
  }
  return all;
}

// Where the outputs of a tile go: each to its pixel of y, or the largest of each window.
class OutputTile {
 public:
  OutputTile(const Conv2dGeometry& g, const Tiles& tiles, const Conv2dOutput<float>& out,
             std::int64_t index, Spare& spare)
      : filters_(g.K), relu_(out.activation == Activation::relu), pooled_(out.cell != nullptr) {
    const std::int64_t n = index / tiles.count(), tile = index % tiles.count();
    if (pooled_) {
      const std::int64_t image = n * g.pooled_image();
      largest_ = pixels_of(tiles.windows(tile), out.y + image, g.K, spare.values.data());
      cells_ = pixels_of(tiles.windows(tile), out.cell + image, g.K, spare.cells.data());
    } else {
      y_ = pixels_of(tiles.outputs(tile), out.y + n * g.y_image(), g.K, spare.values.data());
    }
  }

  void store(std::int64_t k, const Outputs& z) const {
    if (pooled_) {
      for (std::size_t i = 0; i < cells_.size(); ++i) {
        store_window_max(window(z, i), relu_, largest_[i] + k, cells_[i] + k, filters_ - k);
      }
    } else {
      for (std::size_t i = 0; i < z.size(); ++i) {
        store8(relu_ ? relu8(z[i]) : z[i], y_[i] + k, filters_ - k);
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
  GradientTile(const Conv2dGeometry& g, const Tiles& tiles, const Conv2dOutput<const float>& out,
               const float* dy, std::int64_t index, Spare& spare)
      : filters_(g.K), relu_(out.activation == Activation::relu), pooled_(out.cell != nullptr) {
    const std::int64_t n = index / tiles.count(), tile = index % tiles.count();
    const float* zero = spare.values.data();
    if (pooled_) {
      const std::int64_t image = n * g.pooled_image();
      const std::uint8_t *cell = out.cell + image, *no_cell = spare.cells.data();
      largest_ = pixels_of(tiles.windows(tile), dy + image, g.K, zero);
      cells_ = pixels_of(tiles.windows(tile), cell, g.K, no_cell);
    } else {
      const std::int64_t image = n * g.y_image();
      dy_ = pixels_of(tiles.outputs(tile), dy + image, g.K, zero);
      if (relu_) y_ = pixels_of(tiles.outputs(tile), out.y + image, g.K, zero);
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

}  // namespace drape::kernels::winograd
