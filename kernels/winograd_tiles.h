// Where the tiles of Winograd's minimal filtering F(4x4, 3x3) lie in an image.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/ceil_div.h"
#include "kernels/geometry.h"
#include "kernels/memory.h"

namespace drape::kernels::winograd {

// Along an axis a tile has four outputs and reads six inputs.
inline constexpr std::int64_t kTile = 4, kInput = 6, kProducts = kInput * kInput,
                              kOutputs = kTile * kTile;
inline constexpr std::int64_t kWindows = kOutputs / 4;  // of 2x2

// The tiles along one axis of an image. With a dilation of d the outputs fall into d grids that
// share no input; a tile lies in one of them.
struct TileAxis {
  TileAxis(std::int64_t size, std::int64_t step)
      : dilation(step), tiles(ceil_div(size, step * kTile)), count(tiles * std::min(step, size)) {}
  std::int64_t start(std::int64_t index) const {
    return index / tiles + index % tiles * kTile * dilation;
  }
  std::int64_t dilation, tiles, count;
};

inline std::int64_t tile_count(const Conv2dGeometry& g) {
  return TileAxis(g.P, g.dilation.y).count * TileAxis(g.Q, g.dilation.x).count;
}

// Which pixels the tiles of an image read and make.
class Tiles {
 public:
  using Inputs = std::array<std::int64_t, kProducts>;
  using Pixels = std::array<std::int64_t, kOutputs>;
  using Windows = std::array<std::int64_t, kWindows>;

  explicit Tiles(const Conv2dGeometry& g)
      : y_(g.P, g.dilation.y),
        x_(g.Q, g.dilation.x),
        inputs_(count()),
        outputs_(count()),
        windows_(count()) {
    for (std::int64_t tile = 0; tile < count(); ++tile) {
      const std::int64_t p = y_.start(tile / x_.count), q = x_.start(tile % x_.count);
      inputs_[tile] = pixels<kInput>(p - g.padding.y, q - g.padding.x, g.H, g.W, g.dilation);
      outputs_[tile] = pixels<kTile>(p, q, g.P, g.Q, g.dilation);
      windows_[tile] = pixels<kTile / 2>(p / 2, q / 2, g.P / 2, g.Q / 2, 1);
    }
  }

  std::int64_t count() const { return y_.count * x_.count; }

  // The pixels of x under a tile: their indices in the image, -1 outside.
  const Inputs& inputs(std::int64_t tile) const { return inputs_[tile]; }
  // Its outputs, -1 for those beyond the last.
  const Pixels& outputs(std::int64_t tile) const { return outputs_[tile]; }
  // The 2x2 windows of its outputs, -1 for those that are not whole. Of tiles without dilation.
  const Windows& windows(std::int64_t tile) const { return windows_[tile]; }

 private:
  template <std::int64_t size>
  static std::array<std::int64_t, size * size> pixels(std::int64_t top, std::int64_t left,
                                                      std::int64_t height, std::int64_t width,
                                                      Size2 dilation) {
    std::array<std::int64_t, size * size> all;
    for (std::int64_t i = 0; i < size; ++i) {
      for (std::int64_t j = 0; j < size; ++j) {
        const std::int64_t y = top + i * dilation.y, x = left + j * dilation.x;
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        all[static_cast<std::size_t>(i * size + j)] = inside ? y * width + x : -1;
      }
    }
    return all;
  }

  TileAxis y_, x_;
  Buffer<Inputs> inputs_;
  Buffer<Pixels> outputs_;
  Buffer<Windows> windows_;
};

}  // namespace drape::kernels::winograd
