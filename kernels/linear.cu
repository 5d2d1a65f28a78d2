#include "kernels/linear.h"

#include "kernels/ceil_div.h"
#include "kernels/epilogue.cuh"
#include "kernels/gemm.h"
#include "kernels/relu.h"

namespace drape::kernels {
namespace {

// A layer of so few filters, as the last one of a classifier is, has kernels of its own.
constexpr int kFewFilters = 16;

// A warp per result.
template <class T>
__global__ void few_filters_forward_kernel(LinearGeometry g, const T* x, const T* w, const T* b,
                                           T* y) {
  using Real = Accumulator<T>;
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  if (i >= g.N * g.K) return;
  const std::int64_t n = i / g.K, k = i % g.K;
  Real z(0);
  for (std::int64_t c = threadIdx.x % 32; c < g.C; c += 32) {
    z += activated(g.input, static_cast<Real>(x[n * g.C + c])) * static_cast<Real>(w[k * g.C + c]);
  }
  z = warp_sum(z);
  if (threadIdx.x % 32 != 0) return;
  if (b != nullptr) z += static_cast<Real>(b[k]);
  y[i] = static_cast<T>(activated(g.output, z));
}

// The gradient of one column of w, a value per filter.
template <class Real>
struct FilterSums {
  Real of_filter[kFewFilters] = {};
  __device__ void operator+=(const FilterSums& other) {
    for (int k = 0; k < kFewFilters; ++k) of_filter[k] += other.of_filter[k];
  }
};

// All gradients in one launch: a thread takes an image and a channel, which it writes dx of and
// adds to that column of dw. Behind the last channel comes the bias, whose input is 1.
template <class T>
void few_filters_backward(Cuda cuda, const LinearGeometry& g, const T* x, const T* w, const T* y,
                          const T* dy, const LinearGradients<T>& d) {
  using Real = Accumulator<T>;
  using Sums = FilterSums<Real>;
  column_sums<Sums, 1>(
      cuda, "linear_few_filters_backward", g.N, g.C + 1,
      [=] __device__(std::int64_t c) {
        const bool bias = c == g.C;
        Real weights[kFewFilters] = {};
        for (int k = 0; k < kFewFilters; ++k) {
          if (!bias && k < g.K) weights[k] = static_cast<Real>(w[k * g.C + c]);
        }
        return [&, c, bias, weights](std::int64_t n) {
          const Real input = bias ? Real(1) : activated(g.input, static_cast<Real>(x[n * g.C + c]));
          return [&, n, input] {
            Sums sums;
            Real dx(0);
            for (int k = 0; k < kFewFilters; ++k) {
              if (k >= g.K) break;
              const std::int64_t i = n * g.K + k;
              const Real dz = is_flat(g.output, y[i]) ? Real(0) : static_cast<Real>(dy[i]);
              sums.of_filter[k] = dz * input;
              dx += dz * weights[k];
            }
            if (bias || d.dx == nullptr) return sums;
            d.dx[n * g.C + c] = static_cast<T>(is_flat(g.input, input) ? Real(0) : dx);
            return sums;
          };
        };
      },
      [=] __device__(std::int64_t c, const Sums& sums) {
        for (int k = 0; k < kFewFilters; ++k) {
          if (k >= g.K) break;
          const T sum = static_cast<T>(sums.of_filter[k]);
          if (c < g.C && d.dw != nullptr) d.dw[k * g.C + c] = sum;
          if (c == g.C && d.db != nullptr) d.db[k] = sum;
        }
      });
}

// input(x).
template <class T>
class Activated {
 public:
  Activated(Cuda cuda, const LinearGeometry& g, const T* x)
      : own_(cuda, g.input == Activation::relu ? g.N * g.C : 0), x_(x) {
    if (g.input == Activation::none) return;
    relu_forward(cuda, x, own_.data(), g.N * g.C);
    x_ = own_.data();
  }
  const T* data() const { return x_; }

 private:
  DeviceBuffer<T> own_;
  const T* x_;
};

}  // namespace

template <class T>
void linear_forward(Cuda cuda, const LinearGeometry& g, const T* x, const T* w, const T* b, T* y) {
  if (g.K <= kFewFilters) {
    constexpr unsigned kWarps = 8;
    launch(cuda, "linear_few_filters_forward",
           {dim3(static_cast<unsigned>(ceil_div(g.N * g.K, kWarps))), dim3(32 * kWarps)},
           few_filters_forward_kernel<T>, g, x, w, b, y);
    return;
  }
  const Activated<T> input(cuda, g, x);
  gemm<T>(cuda, g.N, g.K, g.C, {input.data(), g.C}, {w, g.C, Use::transposed}, {.bias = b}, y, g.K);
  // Not the library's own ReLU: that one turns NaN into 0.
  add_bias_activate<T>(cuda, g.N, g.K, nullptr, g.output, y);
}

template <class T>
void linear_backward(Cuda cuda, const LinearGeometry& g, const T* x, const T* w, const T* y,
                     const T* dy, const LinearGradients<T>& d) {
  if (g.K <= kFewFilters) return few_filters_backward(cuda, g, x, w, y, dy, d);
  const DeviceBuffer<T> masked(cuda, g.output == Activation::relu ? g.N * g.K : 0);
  const T* dz = dy;
  if (g.output == Activation::relu) {
    relu_backward(cuda, y, dy, masked.data(), g.N * g.K);
    dz = masked.data();
  }
  if (d.dx != nullptr) {
    gemm<T>(cuda, g.N, g.C, g.K, {dz, g.K}, {w, g.C}, {}, d.dx, g.C);
    if (g.input == Activation::relu) relu_backward(cuda, x, d.dx, d.dx, g.N * g.C);
  }
  if (d.dw != nullptr) {
    const Activated<T> input(cuda, g, x);
    gemm<T>(cuda, g.K, g.C, g.N, {dz, g.K, Use::transposed}, {input.data(), g.C},
            {.row_sums = d.db}, d.dw, g.C);
  } else if (d.db != nullptr) {
    column_sums(cuda, g.N, g.K, dz, d.db);
  }
}

template void linear_forward(Cuda, const LinearGeometry&, const float*, const float*, const float*,
                             float*);
template void linear_forward(Cuda, const LinearGeometry&, const double*, const double*,
                             const double*, double*);
template void linear_forward(Cuda, const LinearGeometry&, const BFloat16*, const BFloat16*,
                             const BFloat16*, BFloat16*);
template void linear_backward(Cuda, const LinearGeometry&, const float*, const float*, const float*,
                              const float*, const LinearGradients<float>&);
template void linear_backward(Cuda, const LinearGeometry&, const double*, const double*,
                              const double*, const double*, const LinearGradients<double>&);
template void linear_backward(Cuda, const LinearGeometry&, const BFloat16*, const BFloat16*,
                              const BFloat16*, const BFloat16*, const LinearGradients<BFloat16>&);

}  // namespace drape::kernels
