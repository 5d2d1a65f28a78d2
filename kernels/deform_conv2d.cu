// Deformable convolution as an implicit GEMM: patches are sampled into shared memory, tile by tile,
// and never written out. Backward in deform_conv2d_points.cu and deform_conv2d_weight.cu.
#include "kernels/deform_conv2d.h"

#include "kernels/deform_backward.cuh"
#include "kernels/epilogue.cuh"

namespace drape::kernels {
namespace {

constexpr int kFilters = 64;  // of a tile

// y = sampled patches times filters, with bias, activation and pooling. A block makes the results
// of 64 rows (x) and 64 filters of a group (y), slice by slice of the patches.
template <Columns way, int size, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, 2)
    forward_kernel(Problem<T> p, Conv2dOutput<T> out) {
  using Sum = typename Tile::Sum;
  using Patches = Factor<T, kTileRows, kColumns, Contiguous::depth>;
  using Weights = Factor<T, kFilters, kColumns, Contiguous::depth>;
  constexpr int kSumStride = kFilters + 4;
  constexpr std::size_t kBytes =
      std::max(sizeof(T) * (Patches::kSize + Weights::kSize), sizeof(Sum) * kTileRows * kSumStride);
  DRAPE_SHARED(unsigned char, memory, [kBytes]);
  DRAPE_SHARED(SamplingPoint<T>, points, [way == Columns::by_tap ? kTileRows : 1]);
  const Patches patches{reinterpret_cast<T*>(memory)};
  const Weights weights{patches.memory + Patches::kSize};

  const int filter_tiles = (p.filters + kFilters - 1) / kFilters;
  const int group = static_cast<int>(blockIdx.y) / filter_tiles;
  const int first_of_group = static_cast<int>(blockIdx.y) % filter_tiles * kFilters;
  const std::int64_t first_filter = group * p.filters + first_of_group;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kTileRows;

  Tile sums;
  Sampler<way, size, kTileRows, T> sampler(p, &points[0]);
  for (int at = group * p.columns(); at < (group + 1) * p.columns();) {
    const Slice slice = slice_at<way>(p, at);
    sampler.sample(slice, first, p.rows, patches.memory, Patches::kStride);
    copy_tile<kFilters, kColumns>(Part<T>{p.in.w + first_filter * p.columns() + slice.column,
                                          p.columns(), p.filters - first_of_group, slice.count},
                                  weights.memory, Weights::kStride);
    __syncthreads();
    sums.add_product(patches, weights);
    __syncthreads();
    at += slice.count;
  }

  Sum* of_tile = reinterpret_cast<Sum*>(memory);
  sums.store(of_tile, kSumStride);
  __syncthreads();
  // A row and a filter, or a window of four rows and a filter.
  const int rows_of_result = out.cell == nullptr ? 1 : 4;
  for (int i = static_cast<int>(threadIdx.x); i < kTileRows / rows_of_result * kFilters;
       i += kTileThreads) {
    const int m = i / kFilters * rows_of_result, k = i % kFilters;
    if (first + m >= p.rows || first_of_group + k >= p.filters) continue;
    const Sum b = p.in.b == nullptr ? Sum(0) : static_cast<Sum>(p.in.b[first_filter + k]);
    const auto z = [&](int row) { return of_tile[(m + row) * kSumStride + k] + b; };
    const std::int64_t at = (first + m) / rows_of_result * p.g.K + first_filter + k;
    if (out.cell != nullptr) {
      const Largest<Sum> largest = largest_of_window<Sum>(out.activation, z);
      out.y[at] = static_cast<T>(largest.value);
      out.cell[at] = largest.cell;
    } else {
      const bool relu = out.activation == Activation::relu;
      out.y[at] = static_cast<T>(relu && z(0) < Sum(0) ? Sum(0) : z(0));
    }
  }
}

}  // namespace

template <class T>
void deform_conv2d_forward(Cuda cuda, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<T>& in, const Conv2dOutput<T>& out) {
  const Problem<T> p(geometry, in, out.cell == nullptr ? Rows::pixels : Rows::windows);
  const LaunchSize size{dim3(count_of(p.rows, kTileRows),
                             static_cast<unsigned>(p.g.groups) * count_of(p.filters, kFilters)),
                        dim3(kTileThreads)};
  const auto start = [&](auto kernel) {
    launch(cuda, "deform_conv2d_forward", size, kernel, p, out);
  };
  with_tile<kFilters, T>(cuda, [&]<class Tile>() {
    if (p.few_channels()) {
      start(forward_kernel<Columns::across_taps, 1, Tile, T>);
    } else if (p.vectors_fit()) {
      start(forward_kernel<Columns::by_tap, kVector<T>, Tile, T>);
    } else {
      start(forward_kernel<Columns::by_tap, 1, Tile, T>);
    }
  });
}

template <class T>
void deform_conv2d_backward(Cuda cuda, const DeformConv2dGeometry& geometry,
                            const DeformConv2dInputs<T>& in, const Conv2dOutput<const T>& out,
                            const T* dy, const DeformConv2dGradients<T>& d) {
  const Problem<T> p(geometry, in, Rows::pixels);
  const OutputGradient<T> gradient(cuda, p.g, out, dy, d.db);
  if (d.dx != nullptr || d.d_offset != nullptr || d.d_mask != nullptr)
    deform_point_gradients(cuda, p, gradient.dz(), {d.d_offset, d.d_mask}, d.dx);
  if (d.dw != nullptr) deform_weight_gradient(cuda, p, gradient.dz(), d.dw);
}

template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<float>&, const Conv2dOutput<float>&);
template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<double>&, const Conv2dOutput<double>&);
template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<BFloat16>&,
                                    const Conv2dOutput<BFloat16>&);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<float>&,
                                     const Conv2dOutput<const float>&, const float*,
                                     const DeformConv2dGradients<float>&);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<double>&,
                                     const Conv2dOutput<const double>&, const double*,
                                     const DeformConv2dGradients<double>&);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<BFloat16>&,
                                     const Conv2dOutput<const BFloat16>&, const BFloat16*,
                                     const DeformConv2dGradients<BFloat16>&);

}  // namespace drape::kernels
