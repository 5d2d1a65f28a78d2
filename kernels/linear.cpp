#include "kernels/linear.h"

#include <algorithm>

#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

// Calls body(rows, columns) for every block of a matrix, in parallel: blocks of at most 256 rows
// and `width` columns.
template <class Body>
void each_block(std::int64_t rows, std::int64_t columns, std::int64_t width, Body&& body) {
  constexpr std::int64_t kHeight = 256;
  const std::int64_t down = (rows + kHeight - 1) / kHeight, across = (columns + width - 1) / width;
  parallel_for(down * across, [&](std::int64_t task) {
    body(part(rows, down, task / across), part(columns, across, task % across));
  });
}

constexpr std::int64_t kFilters = 32, kChannels = 392;

}  // namespace

template <class T>
void linear_forward(Cpu, LinearGeometry g, const T* x, const T* w, const T* b,
                    Activation activation, T* y) {
  each_block(g.N, g.K, kFilters, [&](Range rows, Range filters) {
    T* out = y + rows.begin * g.K + filters.begin;
    gemm<T>(rows.size(), filters.size(), g.C, {x + rows.begin * g.C, g.C},
            {w + filters.begin * g.C, g.C, Use::transposed}, Output::replace, out, g.K);
    add_bias_activate(rows.size(), filters.size(), b == nullptr ? b : b + filters.begin, activation,
                      out, g.K);
  });
}

template <class T>
void linear_backward(Cpu, LinearGeometry g, const T* x, const T* w, const T* y, const T* dy,
                     Activation activation, T* dx, T* dw, T* db) {
  Buffer<T> masked(g.N * g.K);
  const T* dz = dy;
  if (activation == Activation::relu) {
    undo_activation(g.N * g.K, y, dy, masked.data());
    dz = masked.data();
  }
  if (dx != nullptr) {
    each_block(g.N, g.C, kChannels, [&](Range rows, Range channels) {
      gemm<T>(rows.size(), channels.size(), g.K, {dz + rows.begin * g.K, g.K},
              {w + channels.begin, g.C}, Output::replace, dx + rows.begin * g.C + channels.begin,
              g.C);
    });
  }
  if (dw != nullptr) {
    each_block(g.K, g.C, kChannels, [&](Range filters, Range channels) {
      gemm<T>(filters.size(), channels.size(), g.N, {dz + filters.begin, g.K, Use::transposed},
              {x + channels.begin, g.C}, Output::replace, dw + filters.begin * g.C + channels.begin,
              g.C);
    });
  }
  if (db != nullptr) {
    std::fill_n(db, g.K, T(0));
    add_column_sums(g.N, g.K, dz, db);
  }
}

template void linear_forward(Cpu, LinearGeometry, const float*, const float*, const float*,
                             Activation, float*);
template void linear_forward(Cpu, LinearGeometry, const double*, const double*, const double*,
                             Activation, double*);
template void linear_backward(Cpu, LinearGeometry, const float*, const float*, const float*,
                              const float*, Activation, float*, float*, float*);
template void linear_backward(Cpu, LinearGeometry, const double*, const double*, const double*,
                              const double*, Activation, double*, double*, double*);

}  // namespace drape::kernels
