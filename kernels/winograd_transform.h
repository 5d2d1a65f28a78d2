// The linear maps of Winograd's minimal filtering F(4x4, 3x3); the formula: conv2d_winograd.h.
#pragma once

#include <array>
#include <cstddef>

#include "kernels/float8.h"

// Inlined into one large function the transforms would not keep to the registers.
#define DRAPE_APART [[gnu::noinline]]

namespace drape::kernels::winograd {

// The three maps of the formula along one axis, and their transposes, for interpolation at 0, a,
// -a, b, -b and infinity (Toom-Cook). The usual points are 1 and 2; with these the largest error is
// less than half as large, and B and A stay exact. What a pair of points shares is computed once.
// NOLINTBEGIN(readability-identifier-naming): the formula's letters
inline constexpr float a = 0.75f, b = 1.5f, a2 = a * a, b2 = b * b, a3 = a2 * a, b3 = b2 * b;
inline constexpr float at_0 = 1 / (a2 * b2), at_a = 1 / (2 * a2 * (a2 - b2)),
                       at_b = 1 / (2 * b2 * (b2 - a2));
// NOLINTEND(readability-identifier-naming)

template <class T, std::size_t size>
using Vector = std::array<T, size>;

// B^T d
struct ToProducts {
  static constexpr std::size_t kFrom = 6, kTo = 6;
  template <class T>
  static Vector<T, 6> apply(const Vector<T, 6>& d) {
    const T even_a = d[4] - b2 * d[2], odd_a = a * d[3] - a * b2 * d[1];
    const T even_b = d[4] - a2 * d[2], odd_b = b * d[3] - b * a2 * d[1];
    return {a2 * b2 * d[0] - (a2 + b2) * d[2] + d[4],
            even_a + odd_a,
            even_a - odd_a,
            even_b + odd_b,
            even_b - odd_b,
            a2 * b2 * d[1] - (a2 + b2) * d[3] + d[5]};
  }
};

// B m
struct FromProducts {
  static constexpr std::size_t kFrom = 6, kTo = 6;
  template <class T>
  static Vector<T, 6> apply(const Vector<T, 6>& m) {
    const T sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    const T sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    return {a2 * b2 * m[0],
            a2 * b2 * m[5] - a * b2 * difference_a - b * a2 * difference_b,
            -(a2 + b2) * m[0] - b2 * sum_a - a2 * sum_b,
            a * difference_a + b * difference_b - (a2 + b2) * m[5],
            m[0] + sum_a + sum_b,
            m[5]};
  }
};

// A^T m
struct ToOutputs {
  static constexpr std::size_t kFrom = 6, kTo = 4;
  template <class T>
  static Vector<T, 4> apply(const Vector<T, 6>& m) {
    const T sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    const T sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    return {m[0] + sum_a + sum_b, a * difference_a + b * difference_b, a2 * sum_a + b2 * sum_b,
            a3 * difference_a + b3 * difference_b + m[5]};
  }
};

// A y
struct FromOutputs {
  static constexpr std::size_t kFrom = 4, kTo = 6;
  template <class T>
  static Vector<T, 6> apply(const Vector<T, 4>& y) {
    const T even_a = y[0] + a2 * y[2], odd_a = a * y[1] + a3 * y[3];
    const T even_b = y[0] + b2 * y[2], odd_b = b * y[1] + b3 * y[3];
    return {y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]};
  }
};

// G g
struct FromFilter {
  static constexpr std::size_t kFrom = 3, kTo = 6;
  template <class T>
  static Vector<T, 6> apply(const Vector<T, 3>& g) {
    const T even_a = at_a * g[0] + at_a * a2 * g[2], odd_a = at_a * a * g[1];
    const T even_b = at_b * g[0] + at_b * b2 * g[2], odd_b = at_b * b * g[1];
    return {at_0 * g[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g[2]};
  }
};

// G^T m
struct ToFilter {
  static constexpr std::size_t kFrom = 6, kTo = 3;
  template <class T>
  static Vector<T, 3> apply(const Vector<T, 6>& m) {
    const T sum_a = m[1] + m[2], sum_b = m[3] + m[4];
    return {at_0 * m[0] + at_a * sum_a + at_b * sum_b,
            at_a * a * (m[1] - m[2]) + at_b * b * (m[3] - m[4]),
            at_a * a2 * sum_a + at_b * b2 * sum_b + m[5]};
  }
};

// M in M^T, for a map M along one axis and a matrix of vectors, eight channels at a time: reads
// load(element) once each, and calls store(element, value).
template <class Map, class Load, class Store>
void transform(Load&& load, Store&& store) {
  constexpr std::size_t from = Map::kFrom, to = Map::kTo;
  std::array<Float8, to * from> left;
#pragma GCC unroll 6
  for (std::size_t j = 0; j < from; ++j) {
    Vector<Float8, from> column;
#pragma GCC unroll 6
    for (std::size_t i = 0; i < from; ++i) column[i] = load(i * from + j);
    const Vector<Float8, to> mapped = Map::apply(column);
#pragma GCC unroll 6
    for (std::size_t i = 0; i < to; ++i) left[i * from + j] = mapped[i];
  }
#pragma GCC unroll 6
  for (std::size_t i = 0; i < to; ++i) {
    Vector<Float8, from> row;
#pragma GCC unroll 6
    for (std::size_t j = 0; j < from; ++j) row[j] = left[i * from + j];
    const Vector<Float8, to> mapped = Map::apply(row);
#pragma GCC unroll 6
    for (std::size_t j = 0; j < to; ++j) store(i * to + j, mapped[j]);
  }
}

}  // namespace drape::kernels::winograd
