// What dense CUDA kernels do to their result: bias and activation on the way out, and the same
// backwards on the way in.
#pragma once

#include "kernels/column_sums.cuh"
#include "kernels/conv2d.h"

namespace drape::kernels {

template <int size, class T>
void add_bias_activate_packs(Cuda cuda, std::int64_t rows, std::int64_t K, const T* b,
                             Activation activation, T* y) {
  for_each(cuda, "add_bias_activate", rows * K / size, [=] __device__(std::int64_t i) {
    using Real = Accumulator<T>;
    Pack<T, size> pack = load<size>(y + i * size);
    const std::int64_t k = b == nullptr ? 0 : i * size % K;
    for (int j = 0; j < size; ++j) {
      const Real z = b == nullptr ? Real(pack.value[j]) : Real(pack.value[j]) + Real(b[k + j]);
      pack.value[j] = static_cast<T>(activated(activation, z));
    }
    store(y + i * size, pack);
  });
}

/// y[m,k] = activation(y[m,k] + b[k]) in place, for rows of K values. b may be null. NaN stays NaN.
template <class T>
void add_bias_activate(Cuda cuda, std::int64_t rows, std::int64_t K, const T* b,
                       Activation activation, T* y) {
  if (b == nullptr && activation == Activation::none) return;
  packs_fit(K) ? add_bias_activate_packs<kPack>(cuda, rows, K, b, activation, y)
               : add_bias_activate_packs<1>(cuda, rows, K, b, activation, y);
}

/// The largest of the four act(value(i)) of a 2x2 window, and which that is, or kNoCell.
template <class Real>
struct Largest {
  Real value;
  std::uint8_t cell;
};
template <class Real, class Value>
__device__ Largest<Real> largest_of_window(Activation activation, Value&& value) {
  Real largest = value(0);
  int cell = 0;
  for (int i = 1; i < 4; ++i) {
    const Real candidate = value(i);
    if (!(candidate > largest) && candidate == candidate) continue;  // NaN wins
    largest = candidate;
    cell = i;
  }
  return {activated(activation, largest),
          static_cast<std::uint8_t>(is_flat(activation, largest) ? kNoCell : cell)};
}

// dz and db where each 2x2 window has one result. A row is a window; one that the image cuts off
// has none, and dz is zero there.
template <int size, class T>
void undo_pool(Cuda cuda, const Conv2dGeometry& g, const Conv2dOutput<const T>& out, const T* dy,
               T* dz, T* db) {
  using Real = Accumulator<T>;
  using Sums = PackSums<Real, size>;
  const std::int64_t P = (g.P + 1) / 2, Q = (g.Q + 1) / 2;
  column_sums<Sums, 1>(
      cuda, "undo_output", g.N * P * Q, g.K / size,
      [=] __device__(std::int64_t column) {
        return [&, column](std::int64_t m) {
          const std::int64_t row = m / Q, n = row / P, k = column * size;
          const int q = static_cast<int>(m - row * Q), p = static_cast<int>(row - n * P);
          const bool whole = 2 * p + 1 < g.P && 2 * q + 1 < g.Q;
          Pack<T, size> gradients{};
          Pack<std::uint8_t, size> cells{};
          if (whole) {
            const std::int64_t i = ((n * (g.P / 2) + p) * (g.Q / 2) + q) * g.K + k;
            gradients = load<size>(dy + i);
            cells = load<size>(out.cell + i);
          }
          T* const corner = dz + ((n * g.P + 2 * p) * g.Q + 2 * q) * g.K + k;
          return [=, &g] {
            for (int cell = 0; cell < 4; ++cell) {
              if (2 * p + cell / 2 >= g.P || 2 * q + cell % 2 >= g.Q) continue;
              Pack<T, size> here{};
              for (int j = 0; j < size; ++j) {
                if (cells.value[j] == cell) here.value[j] = gradients.value[j];
              }
              store(corner + (cell / 2 * g.Q + cell % 2) * g.K, here);
            }
            Sums sums;
            for (int j = 0; j < size; ++j) {
              if (cells.value[j] != kNoCell) sums.of[j] = static_cast<Real>(gradients.value[j]);
            }
            return sums;
          };
        };
      },
      [=] __device__(std::int64_t column, const Sums& sums) {
        for (int j = 0; db != nullptr && j < size; ++j)
          db[column * size + j] = static_cast<T>(sums.of[j]);
      });
}

// dz and db where the activation is all there is.
template <int size, class T>
void undo_activation(Cuda cuda, const Conv2dGeometry& g, const Conv2dOutput<const T>& out,
                     const T* dy, T* dz, T* db) {
  using Real = Accumulator<T>;
  using Sums = PackSums<Real, size>;
  column_sums<Sums, kRowsAhead<T>>(
      cuda, "undo_output", g.N * g.P * g.Q, g.K / size,
      [=] __device__(std::int64_t column) {
        return [&, column](std::int64_t m) {
          const std::int64_t i = m * g.K + column * size;
          return [&, i, gradients = load<size>(dy + i), results = load<size>(out.y + i)] {
            Pack<T, size> here{};
            Sums sums;
            for (int j = 0; j < size; ++j) {
              if (!is_flat(out.activation, results.value[j])) here.value[j] = gradients.value[j];
              sums.of[j] = static_cast<Real>(here.value[j]);
            }
            store(dz + i, here);
            return sums;
          };
        };
      },
      [=] __device__(std::int64_t column, const Sums& sums) {
        for (int j = 0; db != nullptr && j < size; ++j)
          db[column * size + j] = static_cast<T>(sums.of[j]);
      });
}

/// dz[m,k] = the gradient before activation and pooling, and db[k] = its sum over pixels, unless
/// that is null.
template <class T>
void undo_output(Cuda cuda, const Conv2dGeometry& g, const Conv2dOutput<const T>& out, const T* dy,
                 T* dz, T* db) {
  const bool packs = packs_fit(g.K);
  if (out.cell != nullptr) {
    packs ? undo_pool<kPack>(cuda, g, out, dy, dz, db) : undo_pool<1>(cuda, g, out, dy, dz, db);
  } else {
    packs ? undo_activation<kPack>(cuda, g, out, dy, dz, db)
          : undo_activation<1>(cuda, g, out, dy, dz, db);
  }
}

/// dz, which is dy itself where nothing was done to z; and db on the way, if something was.
template <class T>
class OutputGradient {
 public:
  OutputGradient(Cuda cuda, const Conv2dGeometry& g, const Conv2dOutput<const T>& out, const T* dy,
                 T* db)
      : differs_(out.cell != nullptr || out.activation != Activation::none),
        own_(cuda, differs_ ? g.y_size() : 0),
        dy_(dy),
        db_(differs_ ? nullptr : db) {
    if (differs_) undo_output(cuda, g, out, dy, own_.data(), db);
  }

  const T* dz() const { return differs_ ? own_.data() : dy_; }
  /// db if it is still to be made, else null.
  T* db() const { return db_; }

 private:
  bool differs_;
  DeviceBuffer<T> own_;
  const T* dy_;
  T* db_;
};

}  // namespace drape::kernels
