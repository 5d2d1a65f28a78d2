#include "kernels/linear.h"

#include <algorithm>

#include "kernels/ceil_div.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/relu.h"

namespace drape::kernels {
namespace {

// Calls body(rows, columns) for every block of a matrix, in parallel: blocks of at most 256 rows
// and `width` columns.
template <class Body>
void each_block(std::int64_t rows, std::int64_t columns, std::int64_t width, Body&& body) {
  constexpr std::int64_t kHeight = 256;
  const std::int64_t down = ceil_div(rows, kHeight), across = ceil_div(columns, width);
  parallel_for(down * across, [&](std::int64_t task) {
    body(part(rows, down, task / across), part(columns, across, task % across));
  });
}

constexpr std::int64_t kFilters = 32, kChannels = 392;

// input(x).
template <class T>
class Activated {
 public:
  Activated(const LinearGeometry& g, const T* x)
      : own_(g.input == Activation::relu ? g.N * g.C : 0),
        x_(g.input == Activation::relu ? own_.data() : x) {
    if (g.input == Activation::relu) relu_forward(Cpu{}, x, own_.data(), g.N * g.C);
  }
  const T* data() const { return x_; }

 private:
  Buffer<T> own_;
  const T* x_;
};

}  // namespace

template <class T>
void linear_forward(Cpu, const LinearGeometry& g, const T* x, const T* w, const T* b, T* y) {
  const Activated<T> input(g, x);
  each_block(g.N, g.K, kFilters, [&](Range rows, Range filters) {
    T* out = y + rows.begin * g.K + filters.begin;
    gemm<T>(rows.size(), filters.size(), g.C, {input.data() + rows.begin * g.C, g.C},
            {w + filters.begin * g.C, g.C, Use::transposed}, Output::replace, out, g.K);
    add_bias_activate(rows.size(), filters.size(), b == nullptr ? b : b + filters.begin, g.output,
                      out, g.K);
  });
}

template <class T>
void linear_backward(Cpu cpu, const LinearGeometry& g, const T* x, const T* w, const T* y,
                     const T* dy, const LinearGradients<T>& d) {
  Buffer<T> masked(g.output == Activation::relu ? g.N * g.K : 0);
  const T* dz = dy;
  if (g.output == Activation::relu) {
    undo_activation(g.N * g.K, y, dy, masked.data());
    dz = masked.data();
  }
  if (d.dx != nullptr) {
    each_block(g.N, g.C, kChannels, [&](Range rows, Range channels) {
      gemm<T>(rows.size(), channels.size(), g.K, {dz + rows.begin * g.K, g.K},
              {w + channels.begin, g.C}, Output::replace, d.dx + rows.begin * g.C + channels.begin,
              g.C);
    });
    if (g.input == Activation::relu) relu_backward(cpu, x, d.dx, d.dx, g.N * g.C);
  }
  if (d.dw != nullptr) {
    const Activated<T> input(g, x);
    each_block(g.K, g.C, kChannels, [&](Range filters, Range channels) {
      gemm<T>(filters.size(), channels.size(), g.N, {dz + filters.begin, g.K, Use::transposed},
              {input.data() + channels.begin, g.C}, Output::replace,
              d.dw + filters.begin * g.C + channels.begin, g.C);
    });
  }
  if (d.db != nullptr) {
    std::fill_n(d.db, g.K, T(0));
    add_column_sums(g.N, g.K, dz, d.db);
  }
}

template void linear_forward(Cpu, const LinearGeometry&, const float*, const float*, const float*,
                             float*);
template void linear_forward(Cpu, const LinearGeometry&, const double*, const double*,
                             const double*, double*);
template void linear_backward(Cpu, const LinearGeometry&, const float*, const float*, const float*,
                              const float*, const LinearGradients<float>&);
template void linear_backward(Cpu, const LinearGeometry&, const double*, const double*,
                              const double*, const double*, const LinearGradients<double>&);

}  // namespace drape::kernels
