#include "kernels/conv2d_few_channels.h"

#include <algorithm>

#include "kernels/ceil_div.h"
#include "kernels/memory.h"
#include "kernels/panel_gemm.h"
#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

// The filters as panels of a product's right matrix, [K / 16, R S C, 16], zero behind the last.
void arrange(const Conv2dGeometry& g, const float* w, float* panels) {
  const std::int64_t depth = g.w_size() / g.K;
  std::fill_n(panels, in_panels(g.K) * depth, 0.0f);
  for (std::int64_t k = 0; k < g.K; ++k) {
    float* const column = panels + k / kPanel * kPanel * depth + k % kPanel;
    for (std::int64_t i = 0; i < depth; ++i) column[i * kPanel] = w[k * depth + i];
  }
}

// The R rows of image n under row p of its output, with their padding: [R, W + 2 padding, C].
void copy_rows(const Conv2dGeometry& g, const float* x, std::int64_t n, std::int64_t p, float* to) {
  const std::int64_t edge = g.padding.x * g.C, row = g.W * g.C;
  for (std::int64_t r = 0; r < g.R; ++r, to += row + 2 * edge) {
    const std::int64_t y = p * g.stride.y - g.padding.y + r * g.dilation.y;
    if (y < 0 || y >= g.H) {
      std::fill_n(to, row + 2 * edge, 0.0f);
      continue;
    }
    std::fill_n(to, edge, 0.0f);
    std::copy_n(x + (n * g.H + y) * row, row, to + edge);
    std::fill_n(to + edge + row, edge, 0.0f);
  }
}

// A patch is R runs of S C elements, and C elements behind that of the pixel before.
template <int C>
void forward(const Conv2dGeometry& g, const float* x, const float* w, const float* b,
             Activation activation, float* y) {
  const std::int64_t depth = g.R * g.S * C, row = (g.W + 2 * g.padding.x) * C;
  Buffer<float> panels(in_panels(g.K) * depth);
  arrange(g, w, panels.data());
  constexpr std::int64_t kRows = 8;  // of an output at a time
  const std::int64_t parts = ceil_div(g.P, kRows);
  parallel_for(g.N * parts, [&](std::int64_t task) {
    const std::int64_t n = task / parts, first = task % parts * kRows;
    Buffer<float> rows(g.R * row), z(g.Q * kPanel);
    for (std::int64_t p = first; p < std::min(first + kRows, g.P); ++p) {
      copy_rows(g, x, n, p, rows.data());
      float* const to = y + (n * g.P + p) * g.Q * g.K;
      for (std::int64_t k = 0; k < g.K; k += 8) {
        if (k % kPanel == 0) {
          multiply_panel(g.Q, depth, LeftMatrix<C, 1>{rows.data(), g.S * C, row},
                         panels.data() + k * depth, Sum::replace, z.data());
        }
        const Float8 bias = b == nullptr ? Float8{} : load8(b + k, g.K - k);
        for (std::int64_t q = 0; q < g.Q; ++q) {
          const Float8 value = load8(z.data() + q * kPanel + k % kPanel) + bias;
          store8(activation == Activation::relu ? relu8(value) : value, to + q * g.K + k, g.K - k);
        }
      }
    }
  });
}

}  // namespace

bool has_few_channels(const Conv2dGeometry& g) {
  return g.C >= 2 && g.C <= 4 && g.groups == 1 && g.stride.x == 1 && g.dilation.x == 1;
}

void conv2d_few_channels_forward(const Conv2dGeometry& g, const float* x, const float* w,
                                 const float* b, Activation activation, float* y) {
  if (g.C == 2) return forward<2>(g, x, w, b, activation, y);
  if (g.C == 3) return forward<3>(g, x, w, b, activation, y);
  forward<4>(g, x, w, b, activation, y);
}

}  // namespace drape::kernels
