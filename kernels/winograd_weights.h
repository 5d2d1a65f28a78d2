// Filters as Winograd's minimal filtering F(4x4, 3x3) multiplies with them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/geometry.h"
#include "kernels/memory.h"
#include "kernels/panel_gemm.h"
#include "kernels/parallel.h"
#include "kernels/winograd_tiles.h"
#include "kernels/winograd_transform.h"

namespace drape::kernels::winograd {

// The transformed filters of all products, as panels of a product's right matrix: rows are the
// channels that it sums over, columns those that it makes.
class Weights {
 public:
  Weights(std::int64_t rows, std::int64_t columns)
      : rows_(in_panels(rows)), plane_(rows_ * in_panels(columns)), data_(kProducts * plane_) {
    if (plane_ != rows * columns) std::fill_n(data_.data(), kProducts * plane_, 0.0f);
  }

  float* at(std::size_t product, std::int64_t row, std::int64_t column) {
    return data_.data() + index(product, row, column);
  }
  const float* at(std::size_t product, std::int64_t row, std::int64_t column) const {
    return data_.data() + index(product, row, column);
  }

 private:
  std::int64_t index(std::size_t product, std::int64_t row, std::int64_t column) const {
    return product * plane_ + (column / kPanel * rows_ + row) * kPanel + column % kPanel;
  }

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
DRAPE_APART inline void transform_weights(const Conv2dGeometry& g, const float* w, Weights& out) {
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
DRAPE_APART inline void transform_weights_transposed(const Conv2dGeometry& g, const float* w,
                                                     Weights& out) {
  parallel_for(g.K, [&](std::int64_t k) {
    for (std::int64_t c = 0; c < g.C; c += 8) {
      transform_filter(g, w, k, c,
                       [&](std::size_t f, Float8 value) { store8(value, out.at(f, k, c)); });
    }
  });
}

// dw of every filter and channel, from the gradient of what transform_weights_transposed() makes.
DRAPE_APART inline void transform_weight_gradients(const Conv2dGeometry& g,
                                                   const Weights& transformed, float* dw) {
  for (std::int64_t k = 0; k < g.K; ++k) {
    for (std::int64_t c = 0; c < g.C; c += 8) {
      transform<ToFilter>(
          [&](std::size_t f) { return load8(transformed.at(f, k, c)); },
          [&](std::size_t t, Float8 value) { store8(value, dw + (k * 9 + t) * g.C + c); });
    }
  }
}

}  // namespace drape::kernels::winograd
