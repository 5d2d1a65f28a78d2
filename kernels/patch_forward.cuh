// Convolution as an implicit GEMM: patches are brought into shared memory by a sampler, tile by
// tile, multiplied with filters, and never written out.
#pragma once

#include "kernels/ceil_div.h"
#include "kernels/deform_sampling.cuh"
#include "kernels/epilogue.cuh"

namespace drape::kernels {

/// How filters lie in memory. plain: w [K, taps, channels] as the convolution has them. turned: of
/// the convolution whose backward this is, w [channels, taps, K], its taps from the last to the
/// first.
enum class Filters { plain, turned };

// The shared memory of a block: two stages, of which one is filled while the other is multiplied
// (one for double, which is large), then the sampling points; in the end the sums.
template <int filters, Filters form, class Sampler, class T, class Sum>
struct ForwardMemory {
  using Patches = Factor<T, kTileRows, kColumns, Contiguous::depth>;
  using Weights =
      Factor<T, filters, kColumns, form == Filters::turned ? Contiguous::row : Contiguous::depth>;
  static constexpr int kStages = sizeof(T) > 4 ? 1 : 2, kSumStride = filters + 4;
  static constexpr std::size_t kStageBytes = sizeof(T) * (Patches::kSize + Weights::kSize);
  static constexpr std::size_t kPointsAt =
      std::max(kStages * kStageBytes, sizeof(Sum) * kTileRows * kSumStride);
  static constexpr std::size_t kBytes = kPointsAt + sizeof(Corners<T>) * Sampler::kPoints;

  unsigned char* memory;

  __device__ Patches patches(int stage) const {
    return {reinterpret_cast<T*>(memory + stage * kStageBytes)};
  }
  __device__ Weights weights(int stage) const { return {patches(stage).memory + Patches::kSize}; }
  __device__ Corners<T>* points() const {
    return reinterpret_cast<Corners<T>*>(memory + kPointsAt);
  }
  __device__ Sum* sums() const { return reinterpret_cast<Sum*>(memory); }
};

// y, and cell, of a tile of sums [kTileRows, filters], whose rows are `stride` apart: the rows from
// `first` and the filters of a group from `first_of_group` on.
template <int filters, int stride, class T, class Sum>
__device__ void write_results(const Problem<T>& p, const Conv2dOutput<T>& out, const Sum* of_tile,
                              std::int64_t first, int group, int first_of_group) {
  const std::int64_t first_filter = group * p.filters + first_of_group;
  // Four filters of a row, or of a window of four rows.
  constexpr int kAcross = filters / kPack;
  const bool pooled = out.cell != nullptr, packs = p.filters % kPack == 0;
  for (int i = static_cast<int>(threadIdx.x); i < kTileRows / (pooled ? 4 : 1) * kAcross;
       i += kTileThreads) {
    const int m = i / kAcross * (pooled ? 4 : 1), k = i % kAcross * kPack;
    if (first + m >= p.rows || first_of_group + k >= p.filters) continue;
    Pack<Sum, kPack> z[4];
    for (int row = 0; row < 4; ++row) {
      if (row == 0 || pooled) z[row] = load<kPack>(of_tile + (m + row) * stride + k);
    }
    Pack<T, kPack> y;
    Pack<std::uint8_t, kPack> cells;
    for (int j = 0; j < kPack; ++j) {
      const bool there = p.in.b != nullptr && first_of_group + k + j < p.filters;
      const Sum b = there ? static_cast<Sum>(p.in.b[first_filter + k + j]) : Sum(0);
      if (pooled) {
        const Largest<Sum> largest =
            largest_of_window<Sum>(out.activation, [&](int row) { return z[row].value[j] + b; });
        y.value[j] = static_cast<T>(largest.value);
        cells.value[j] = largest.cell;
      } else {
        y.value[j] = static_cast<T>(activated(out.activation, z[0].value[j] + b));
      }
    }
    const std::int64_t result = pooled ? (first + m) / 4 : first + m;
    const std::int64_t to = result * p.g.K + first_filter + k;
    if (packs) {
      kernels::store(out.y + to, y);
      if (pooled) kernels::store(out.cell + to, cells);
      continue;
    }
    for (int j = 0; j < kPack && first_of_group + k + j < p.filters; ++j) {
      out.y[to + j] = y.value[j];
      if (pooled) out.cell[to + j] = cells.value[j];
    }
  }
}

// y = sampled patches times filters, with bias, activation and pooling. A block makes the results
// of 64 rows (x) and so many filters of a group (y), slice by slice of the patches.
template <class Sampler, Filters form, int filters, int blocks, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, DRAPE_BLOCKS(blocks))
    forward_kernel(Problem<T> p, Conv2dOutput<T> out) {
  using Sum = typename Tile::Sum;
  using Memory = ForwardMemory<filters, form, Sampler, T, Sum>;
  constexpr Columns way = Sampler::kWay;
  DRAPE_DYNAMIC_SHARED(unsigned char, memory);
  const Memory at{memory};

  const int filter_tiles = ceil_div(p.filters, filters);
  const int group = static_cast<int>(blockIdx.y) / filter_tiles;
  const int first_of_group = static_cast<int>(blockIdx.y) % filter_tiles * filters;
  const std::int64_t first_filter = group * p.filters + first_of_group;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kTileRows;

  Sampler sampler(p, p.rows, at.points());
  constexpr bool kTurned = form == Filters::turned;
  using Copy = std::conditional_t<kTurned, TileCopy<Tile, kColumns, filters, T>,
                                  TileCopy<Tile, filters, kColumns, T>>;
  Copy weights;
  const auto fetch = [&](const Slice& slice) {
    if constexpr (kTurned) {
      const std::int64_t tap = p.taps - 1 - slice.tap, row = std::int64_t{p.taps} * p.g.K;
      weights.fetch({p.in.w + slice.channel * row + tap * p.g.K + first_filter, row, slice.count,
                     p.filters - first_of_group});
    } else {
      weights.fetch({p.in.w + first_filter * p.columns() + slice.column, p.columns(),
                     p.filters - first_of_group, slice.count});
    }
    sampler.fetch(slice, first);
  };
  const auto store = [&](int stage) {
    weights.store(at.weights(stage).memory, Memory::Weights::kStride);
    sampler.store(at.patches(stage).memory, Memory::Patches::kStride);
  };
  Tile sums;
  Slice slice = slice_at<way>(p, group * p.columns());
  for (int column = 0, stage = 0;; stage = (stage + 1) % Memory::kStages) {
    const bool more = column < p.columns();
    if (more) fetch(slice);
    if constexpr (Memory::kStages == 2) {  // what was stored in the round before
      if (column > 0) sums.add_product(at.patches(1 - stage), at.weights(1 - stage));
    }
    if (more) store(stage);
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
  write_results<filters, Memory::kSumStride>(p, out, of_tile, first, group, first_of_group);
}

/// Launches it for all rows and filters.
template <class Sampler, Filters form, int filters, int blocks, class Tile, class T>
void patch_forward(Cuda cuda, const char* name, const Problem<T>& p, const Conv2dOutput<T>& out) {
  using Memory = ForwardMemory<filters, form, Sampler, T, typename Tile::Sum>;
  const dim3 grid(count_of(p.rows, kTileRows),
                  static_cast<unsigned>(p.g.groups) * count_of(p.filters, filters));
  launch(cuda, name, {grid, dim3(kTileThreads), Memory::kBytes},
         forward_kernel<Sampler, form, filters, (sizeof(T) > 4 ? 1 : blocks), Tile, T>, p, out);
}

}  // namespace drape::kernels
