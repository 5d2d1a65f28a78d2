// Deformable convolution as an implicit GEMM: patches are sampled into shared memory, tile by tile,
// and never written out. Backward in deform_conv2d_points.cu and deform_conv2d_weight.cu.
#include "kernels/deform_conv2d.h"

#include "kernels/deform_backward.cuh"
#include "kernels/epilogue.cuh"
#include "kernels/relu.h"

namespace drape::kernels {
namespace {

constexpr int kFilters = 64;  // of a tile

// y = sampled patches times filters, with bias and activation. A block makes the results of 64
// pixels (x) and 64 filters of a group (y), slice by slice of the patches.
template <Columns way, int size, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, 2)
    forward_kernel(Problem<T> p, Activation activation, T* y) {
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
    sampler.sample(slice, first, p.pixels, patches.memory, Patches::kStride);
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
  for (int i = static_cast<int>(threadIdx.x); i < kTileRows * kFilters; i += kTileThreads) {
    const int m = i / kFilters, k = i % kFilters;
    if (first + m >= p.pixels || first_of_group + k >= p.filters) continue;
    Sum z = of_tile[m * kSumStride + k];
    if (p.in.b != nullptr) z += static_cast<Sum>(p.in.b[first_filter + k]);
    if (activation == Activation::relu && z < Sum(0)) z = Sum(0);
    y[(first + m) * p.g.K + first_filter + k] = static_cast<T>(z);
  }
}

}  // namespace

template <class T>
void deform_conv2d_forward(Cuda cuda, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<T>& in, Activation activation, T* y) {
  const Problem<T> p(geometry, in);
  const LaunchSize size{dim3(count_of(p.pixels, kTileRows),
                             static_cast<unsigned>(p.g.groups) * count_of(p.filters, kFilters)),
                        dim3(kTileThreads)};
  const auto start = [&](auto kernel) {
    launch(cuda, "deform_conv2d_forward", size, kernel, p, activation, y);
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
                            const DeformConv2dInputs<T>& in, const T* y, const T* dy,
                            Activation activation, const DeformConv2dGradients<T>& out) {
  const Problem<T> p(geometry, in);
  const DeviceBuffer<T> masked(cuda, activation == Activation::relu ? p.g.y_size() : 0);
  const T* dz = dy;
  if (activation == Activation::relu) {
    relu_backward(cuda, y, dy, masked.data(), p.g.y_size());
    dz = masked.data();
  }
  if (out.dx != nullptr || out.d_offset != nullptr || out.d_mask != nullptr)
    deform_point_gradients(cuda, p, dz, {out.d_offset, out.d_mask}, out.dx);
  if (out.dw != nullptr) deform_weight_gradient(cuda, p, dz, out.dw);
  if (out.db != nullptr) column_sums(cuda, p.pixels, p.g.K, dz, out.db);
}

template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<float>&, Activation, float*);
template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<double>&, Activation, double*);
template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<BFloat16>&, Activation, BFloat16*);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<float>&, const float*, const float*,
                                     Activation, const DeformConv2dGradients<float>&);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<double>&, const double*,
                                     const double*, Activation,
                                     const DeformConv2dGradients<double>&);

}  // namespace drape::kernels
