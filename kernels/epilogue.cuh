// What dense CUDA kernels do to their result: bias and activation on the way out, and the same
// backwards on the way in.
#pragma once

#include "kernels/column_sums.cuh"
#include "kernels/conv2d.h"

namespace drape::kernels {

/// y[m,k] = activation(y[m,k] + b[k]) in place, for rows of K values. b may be null. NaN stays NaN.
template <class T>
void add_bias_activate(Cuda cuda, std::int64_t rows, std::int64_t K, const T* b,
                       Activation activation, T* y) {
  if (b == nullptr && activation == Activation::none) return;
  for_each(cuda, "add_bias_activate", rows * K, [=] __device__(std::int64_t i) {
    using A = Accumulator<T>;
    const A z = b == nullptr ? A(y[i]) : A(y[i]) + A(b[i % K]);
    y[i] = static_cast<T>(activation == Activation::relu && z < A(0) ? A(0) : z);
  });
}

/// y, cell = the largest of the four act(value(i)) of a 2x2 window.
template <class A, class T, class Value>
__device__ void store_largest(const Conv2dOutput<T>& out, std::int64_t at, Value&& value) {
  A largest = value(0);
  int cell = 0;
  for (int i = 1; i < 4; ++i) {
    const A candidate = value(i);
    if (!(candidate > largest) && candidate == candidate) continue;  // NaN wins
    largest = candidate;
    cell = i;
  }
  const bool relu = out.activation == Activation::relu;
  out.y[at] = static_cast<T>(relu && largest < A(0) ? A(0) : largest);
  out.cell[at] = static_cast<std::uint8_t>(relu && !(largest > A(0)) ? kNoCell : cell);
}

/// The gradient of z at pixel m, counted through the batch, and filter k: from dy and y, or cell.
template <class T>
__device__ T gradient_before(const Conv2dGeometry& g, const Conv2dOutput<const T>& out, const T* dy,
                             std::int64_t m, std::int64_t k) {
  const T zero = static_cast<T>(0.0f);
  if (out.cell == nullptr) {
    const std::int64_t i = m * g.K + k;
    return out.activation == Activation::none || out.y[i] > zero ? dy[i] : zero;
  }
  const std::int64_t q = m % g.Q, p = m / g.Q % g.P, n = m / g.Q / g.P, P = g.P / 2, Q = g.Q / 2;
  if (p / 2 >= P || q / 2 >= Q) return zero;
  const std::int64_t window = ((n * P + p / 2) * Q + q / 2) * g.K + k;
  return out.cell[window] == p % 2 * 2 + q % 2 ? dy[window] : zero;
}

/// dz[m,k] = the gradient before activation and pooling, and db[k] = its sum over pixels, unless
/// that is null.
template <class T>
void undo_output(Cuda cuda, const Conv2dGeometry& g, const Conv2dOutput<const T>& out, const T* dy,
                 T* dz, T* db) {
  using Sum = Accumulator<T>;
  column_sums<Sum>(
      cuda, "undo_output", g.N * g.P * g.Q, g.K,
      [=] __device__(std::int64_t m, std::int64_t k) {
        const T value = gradient_before(g, out, dy, m, k);
        dz[m * g.K + k] = value;
        return static_cast<Sum>(value);
      },
      [=] __device__(std::int64_t k, Sum sum) {
        if (db != nullptr) db[k] = static_cast<T>(sum);
      });
}

/// dz, which is dy itself where nothing was done to z; and db on the way.
template <class T>
class OutputGradient {
 public:
  OutputGradient(Cuda cuda, const Conv2dGeometry& g, const Conv2dOutput<const T>& out, const T* dy,
                 T* db)
      : differs_(out.cell != nullptr || out.activation != Activation::none),
        own_(cuda, differs_ ? g.y_size() : 0),
        dy_(dy) {
    if (differs_) {
      undo_output(cuda, g, out, dy, own_.data(), db);
    } else if (db != nullptr) {
      column_sums(cuda, g.N * g.P * g.Q, g.K, dy, db);
    }
  }

  const T* dz() const { return differs_ ? own_.data() : dy_; }

 private:
  bool differs_;
  DeviceBuffer<T> own_;
  const T* dy_;
};

}  // namespace drape::kernels
