// What dense CPU kernels do to a tile of their result while it is in cache: bias and activation on
// the way out, and the same backwards on the way in.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/max_pool2d.h"

namespace drape::kernels {

/// y[m,k] = activation(y[m,k] + b[k]) in place, for rows of K values `stride` apart. b may be null.
template <class T>
void add_bias_activate(std::int64_t rows, std::int64_t K, const T* b, Activation activation, T* y,
                       std::int64_t stride) {
  const T floor = T(0);
  for (std::int64_t m = 0; m < rows; ++m) {
    T* row = y + m * stride;
    if (b != nullptr) {
      for (std::int64_t k = 0; k < K; ++k) row[k] += b[k];
    }
    if (activation == Activation::relu) {
      for (std::int64_t k = 0; k < K; ++k) row[k] = row[k] < floor ? floor : row[k];
    }
  }
}

/// dz = dL/dz of z before the activation, from y after it: dz[i] = y[i] > 0 ? dy[i] : 0 for relu.
template <class T>
void undo_activation(std::int64_t size, const T* y, const T* dy, T* dz) {
  for (std::int64_t i = 0; i < size; ++i) {
    const T gradient = dy[i];  // read in any case: no branch
    dz[i] = y[i] > T(0) ? gradient : T(0);
  }
}

/// db[k] += sum over rows of dz[m,k], in row order.
template <class T>
void add_column_sums(std::int64_t rows, std::int64_t K, const T* dz, T* db) {
  for (std::int64_t m = 0; m < rows; ++m) {
    for (std::int64_t k = 0; k < K; ++k) db[k] += dz[m * K + k];
  }
}

/// The 2x2 windows of a convolution's output.
inline Pool2dGeometry windows_of(const Conv2dGeometry& g) {
  return {g.N, g.P, g.Q, g.K, g.P / 2, g.Q / 2, 2, 2, 0};
}

/// y and cell from y before pooling, which is activated.
template <class T>
void pool_windows(const Conv2dGeometry& g, const T* activated, const Conv2dOutput<T>& out) {
  max_pool2d_forward(Cpu{}, windows_of(g), activated, out.y, out.cell);
  if (out.activation == Activation::none) return;
  for (std::int64_t i = 0; i < g.N * g.pooled_image(); ++i) {
    out.cell[i] = out.y[i] > T(0) ? out.cell[i] : static_cast<std::uint8_t>(kNoCell);
  }
}

/// dz = dL/dz of z before activation and pooling.
template <class T>
void undo_output(const Conv2dGeometry& g, const Conv2dOutput<const T>& out, const T* dy, T* dz) {
  if (out.cell != nullptr) {
    max_pool2d_backward(Cpu{}, windows_of(g), dy, out.cell, dz);
  } else if (out.activation == Activation::relu) {
    undo_activation(g.y_size(), out.y, dy, dz);
  } else {
    std::copy_n(dy, g.y_size(), dz);
  }
}

}  // namespace drape::kernels
