// Products of small matrices that lie in cache, f32, without packing: the right matrix is kept as
// panels of 16 columns by whoever computes it. Six rows of a panel's product stay in registers.
#pragma once

#include <cstdint>

#include "kernels/ceil_div.h"
#include "kernels/float8.h"

namespace drape::kernels {

inline constexpr std::int64_t kPanel = 16;  // columns

/// Columns rounded up to whole panels.
constexpr std::int64_t in_panels(std::int64_t columns) {
  return ceil_div(columns, kPanel) * kPanel;
}

/// The left matrix of a product:
///   element (m, k) is data[m * Row + k / run * next_run + k % run * Step]
template <int Row, int Step>
struct LeftMatrix {
  const float* data;
  std::int64_t run, next_run;
};

/// What becomes of what was in the result.
enum class Sum { replace, add };

// c[m,n] for Rows rows and one panel: c[m] lies 16 elements behind c[m-1].
template <int Rows, int Row, int Step>
void multiply_rows(std::int64_t K, const LeftMatrix<Row, Step>& a, const float* b, Sum sum,
                   float* c) {
  Float8 left[Rows], right[Rows];
#pragma GCC unroll 6
  for (int m = 0; m < Rows; ++m) {
    left[m] = sum == Sum::add ? load8(c + m * kPanel) : Float8{};
    right[m] = sum == Sum::add ? load8(c + m * kPanel + 8) : Float8{};
  }
  const float* run = a.data;
  for (std::int64_t k = 0; k < K; k += a.run, run += a.next_run) {
    const float* element = run;
    for (std::int64_t i = 0; i < a.run; ++i, element += Step, b += kPanel) {
      const Float8 b_left = load8(b), b_right = load8(b + 8);
#pragma GCC unroll 6
      for (int m = 0; m < Rows; ++m) {
        const float value = element[m * Row];
        left[m] += value * b_left;
        right[m] += value * b_right;
      }
    }
  }
#pragma GCC unroll 6
  for (int m = 0; m < Rows; ++m) {
    store8(left[m], c + m * kPanel);
    store8(right[m], c + m * kPanel + 8);
  }
}

/// c = a b, or c += a b, for M rows and one panel of columns: b [K,16], c [M,16]. K is a multiple
/// of a.run. Sums in the order of k.
template <int Row, int Step>
void multiply_panel(std::int64_t M, std::int64_t K, LeftMatrix<Row, Step> a, const float* b,
                    Sum sum, float* c) {
  constexpr std::int64_t kMostRows = 6;
  for (std::int64_t groups = ceil_div(M, kMostRows); groups > 0; --groups) {
    const std::int64_t rows = ceil_div(M, groups);
    switch (rows) {
      case 6:
        multiply_rows<6>(K, a, b, sum, c);
        break;
      case 5:
        multiply_rows<5>(K, a, b, sum, c);
        break;
      case 4:
        multiply_rows<4>(K, a, b, sum, c);
        break;
      case 3:
        multiply_rows<3>(K, a, b, sum, c);
        break;
      case 2:
        multiply_rows<2>(K, a, b, sum, c);
        break;
      default:
        multiply_rows<1>(K, a, b, sum, c);
    }
    M -= rows;
    a.data += rows * Row;
    c += rows * kPanel;
  }
}

}  // namespace drape::kernels
