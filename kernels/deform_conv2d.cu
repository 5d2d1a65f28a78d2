// Deformable convolution as an implicit GEMM: patches are sampled into shared memory, tile by tile,
// and never written out. Backward in deform_conv2d_points.cu and deform_conv2d_weight.cu.
#include "kernels/deform_conv2d.h"

#include "kernels/deform_backward.cuh"
#include "kernels/epilogue.cuh"

namespace drape::kernels {
namespace {

// The shared memory of a block: two stages, of which one is filled while the other is multiplied
// (one for double, which is large), then the sampling points; in the end the sums.
template <int filters, class Sampler, class T, class Sum>
struct ForwardMemory {
  using Patches = Factor<T, kTileRows, kColumns, Contiguous::depth>;
  using Weights = Factor<T, filters, kColumns, Contiguous::depth>;
  static constexpr int kStages = sizeof(T) > 4 ? 1 : 2, kSumStride = filters + 4;
  static constexpr std::size_t kStageBytes = sizeof(T) * (Patches::kSize + Weights::kSize);
  static constexpr std::size_t kPointsAt =
      std::max(kStages * kStageBytes, sizeof(Sum) * kTileRows * kSumStride);
  static constexpr std::size_t kBytes = kPointsAt + sizeof(Corners<T>) * Sampler::kPoints;

  unsigned char* memory;

  __device__ Patches patches(int stage) const {
    return {reinterpret_cast<T*>(memory + stage * kStageBytes)};
  }
  __device__ Weights weights(int stage) const {
    return {patches(stage).memory + Patches::kSize};
  }
  __device__ Corners<T>* points() const {
    return reinterpret_cast<Corners<T>*>(memory + kPointsAt);
  }
  __device__ Sum* sums() const { return reinterpret_cast<Sum*>(memory); }
};

// y = sampled patches times filters, with bias, activation and pooling. A block makes the results
// of 64 rows (x) and so many filters of a group (y), slice by slice of the patches.
template <class Sampler, int filters, int blocks, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, blocks)
    forward_kernel(Problem<T> p, Conv2dOutput<T> out) {
  using Sum = typename Tile::Sum;
  using Memory = ForwardMemory<filters, Sampler, T, Sum>;
  constexpr Columns way = Sampler::kWay;
  DRAPE_DYNAMIC_SHARED(unsigned char, memory);
  const Memory at{memory};

  const int filter_tiles = (p.filters + filters - 1) / filters;
  const int group = static_cast<int>(blockIdx.y) / filter_tiles;
  const int first_of_group = static_cast<int>(blockIdx.y) % filter_tiles * filters;
  const std::int64_t first_filter = group * p.filters + first_of_group;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kTileRows;

  Sampler sampler(p, p.rows, at.points());
  const auto fill = [&](const Slice& slice, int stage) {
    sampler.sample(slice, first, at.patches(stage).memory, Memory::Patches::kStride);
    copy_tile<Tile, filters, kColumns>(
        Part<T>{p.in.w + first_filter * p.columns() + slice.column, p.columns(),
                p.filters - first_of_group, slice.count},
        at.weights(stage).memory, Memory::Weights::kStride);
  };
  Tile sums;
  Slice slice = slice_at<way>(p, group * p.columns());
  for (int column = 0, stage = 0;; stage = (stage + 1) % Memory::kStages) {
    const bool more = column < p.columns();
    if (more) fill(slice, stage);
    if constexpr (Memory::kStages == 2) {  // what was filled in the round before
      if (column > 0) sums.add_product(at.patches(1 - stage), at.weights(1 - stage));
    }
    __syncthreads();
    if (!more) break;
    if constexpr (Memory::kStages == 1) {
      sums.add_product(at.patches(stage), at.weights(stage));
      __syncthreads();
    }
    column += slice.count;
    slice = slice_after<way>(p, slice);
  }

  Sum* const of_tile = at.sums();
  sums.store(of_tile, Memory::kSumStride);
  __syncthreads();
  // Four filters of a row, or of a window of four rows.
  constexpr int kAcross = filters / kPack;
  const bool pooled = out.cell != nullptr, packs = p.filters % kPack == 0;
  for (int i = static_cast<int>(threadIdx.x); i < kTileRows / (pooled ? 4 : 1) * kAcross;
       i += kTileThreads) {
    const int m = i / kAcross * (pooled ? 4 : 1), k = i % kAcross * kPack;
    if (first + m >= p.rows || first_of_group + k >= p.filters) continue;
    Pack<Sum, kPack> z[4];
    for (int row = 0; row < 4; ++row) {
      if (row == 0 || pooled) z[row] = load<kPack>(of_tile + (m + row) * Memory::kSumStride + k);
    }
    Pack<T, kPack> y;
    Pack<std::uint8_t, kPack> cells;
    for (int j = 0; j < kPack; ++j) {
      const bool there = p.in.b != nullptr && first_of_group + k + j < p.filters;
      const Sum b = there ? static_cast<Sum>(p.in.b[first_filter + k + j]) : Sum(0);
      if (pooled) {
        const Largest<Sum> largest = largest_of_window<Sum>(
            out.activation, [&](int row) { return z[row].value[j] + b; });
        y.value[j] = static_cast<T>(largest.value);
        cells.value[j] = largest.cell;
      } else {
        const Sum value = z[0].value[j] + b;
        const bool flat = out.activation == Activation::relu && value < Sum(0);
        y.value[j] = static_cast<T>(flat ? Sum(0) : value);
      }
    }
    const std::int64_t result = pooled ? (first + m) / 4 : first + m;
    const std::int64_t to = result * p.g.K + first_filter + k;
    if (packs) {
      store(out.y + to, y);
      if (pooled) store(out.cell + to, cells);
      continue;
    }
    for (int j = 0; j < kPack && first_of_group + k + j < p.filters; ++j) {
      out.y[to + j] = y.value[j];
      if (pooled) out.cell[to + j] = cells.value[j];
    }
  }
}

template <int filters, class T>
void start(Cuda cuda, const Problem<T>& p, const Conv2dOutput<T>& out) {
  const dim3 grid(count_of(p.rows, kTileRows),
                  static_cast<unsigned>(p.g.groups) * count_of(p.filters, filters));
  with_tile<filters, T>(cuda, [&]<class Tile>() {
    const auto with_sampler = [&]<class Sampler, int blocks>() {
      using Memory = ForwardMemory<filters, Sampler, T, typename Tile::Sum>;
      launch(cuda, "deform_conv2d_forward", {grid, dim3(kTileThreads), Memory::kBytes},
             forward_kernel<Sampler, filters, (sizeof(T) > 4 ? 1 : blocks), Tile, T>, p, out);
    };
    if (p.few_channels()) {
      with_sampler.template operator()<PatchSampler<kTileRows, Tile, T>, 2>();
    } else if (p.vectors_fit()) {
      using Sampler = TapSampler<kVector<T>, kTileRows, kTileRows, kSets, Tile, T>;
      with_sampler.template operator()<Sampler, filters == 64 ? 3 : 2>();
    } else {
      with_sampler.template operator()<TapSampler<1, kTileRows, kTileRows, kSets, Tile, T>, 2>();
    }
  });
}

}  // namespace

template <class T>
void deform_conv2d_forward(Cuda cuda, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<T>& in, const Conv2dOutput<T>& out) {
  const Problem<T> p(geometry, in, out.cell == nullptr ? Rows::pixels : Rows::windows);
  p.filters <= 32 ? start<32>(cuda, p, out) : p.filters <= 64 ? start<64>(cuda, p, out)
                                                               : start<128>(cuda, p, out);
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
