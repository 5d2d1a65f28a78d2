// The gradient of a convolution's filters: patches are brought into shared memory by a sampler once
// more, tile by tile, and never written out.
#pragma once

#include "kernels/deform_sampling.cuh"

namespace drape::kernels {

// A tile's rows, and the pixels that one product sums over.
inline constexpr int kGradientFilters = 64, kGradientDepth = 64;

// The shared memory of a block: two stages, of which one is filled while the other is multiplied
// (one for double, which is large), then the sampling points; in the end the sums.
template <class Sampler, class T, class Sum>
struct WeightMemory {
  using Gradients = Factor<T, kGradientFilters, kGradientDepth, Contiguous::row>;
  using Patches = Factor<T, kColumns, kGradientDepth, Contiguous::row>;
  static constexpr int kStages = sizeof(T) > 4 ? 1 : 2, kSumStride = kColumns + 4;
  static constexpr int kFours = kGradientFilters * kColumns / 4;
  static constexpr std::size_t kStageBytes = sizeof(T) * (Gradients::kSize + Patches::kSize);
  static constexpr std::size_t kPointsAt =
      std::max(kStages * kStageBytes, 2 * sizeof(Sum) * kGradientFilters * kSumStride);
  static constexpr std::size_t kBytes = kPointsAt + sizeof(Corners<T>) * Sampler::kPoints;

  unsigned char* memory;

  __device__ Gradients gradients(int stage) const {
    return {reinterpret_cast<T*>(memory + stage * kStageBytes)};
  }
  __device__ Patches patches(int stage) const {
    return {gradients(stage).memory + Gradients::kSize};
  }
  __device__ Corners<T>* points() const {
    return reinterpret_cast<Corners<T>*>(memory + kPointsAt);
  }
  __device__ Sum* sums() const { return reinterpret_cast<Sum*>(memory); }
};

// dw of 64 filters (y) and one slice of columns (x), summed over a range of pixels (z), and with
// the first slice their db, the sum of dz, unless that is null. The last of the ranges' blocks adds
// up partial[z, y, x, 64, kColumns], and of_bias[z, group, y, 64] behind it, in the order of z.
template <class Sampler, int blocks, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, DRAPE_BLOCKS(blocks))
    weight_kernel(Problem<T> p, const T* dz, std::int64_t pixels_of_range,
                  typename Tile::Sum* partial, std::uint32_t* arrived, T* dw, T* db) {
  using Sum = typename Tile::Sum;
  using Memory = WeightMemory<Sampler, T, Sum>;
  using Four = Pack<Sum, 4>;
  constexpr Columns way = Sampler::kWay;
  DRAPE_DYNAMIC_SHARED(unsigned char, memory);
  const Memory at{memory};

  Slice slice = slice_at<way>(p, 0);
  for (int i = static_cast<int>(blockIdx.x), position = 0; i > 0; --i)
    slice = slice_at<way>(p, position += slice.count);
  const int first_of_group = static_cast<int>(blockIdx.y) * kGradientFilters;
  const std::int64_t first_filter = slice.group * p.filters + first_of_group;
  const std::int64_t begin = blockIdx.z * pixels_of_range;
  const std::int64_t end = min(begin + pixels_of_range, p.pixels);

  Sampler sampler(p, end, at.points());
  TileCopy<Tile, kGradientDepth, kGradientFilters, T> gradients;
  const auto fetch = [&](std::int64_t first) {
    gradients.fetch(
        {dz + first * p.g.K + first_filter, p.g.K, end - first, p.filters - first_of_group});
    sampler.fetch(slice, first);
  };
  const auto store = [&](int stage) {
    gradients.store(at.gradients(stage).memory, Memory::Gradients::kStride);
    sampler.store(at.patches(stage).memory, Memory::Patches::kStride);
  };
  Tile sums;
  // A thread has a filter and a share of the depth.
  const bool with_bias = db != nullptr && slice.column == 0;
  const int k = static_cast<int>(threadIdx.x) % kGradientFilters;
  Sum bias(0);
  const auto multiply = [&](int stage) {
    const auto factor = at.gradients(stage);
    sums.add_product(factor, at.patches(stage));
    constexpr int kShares = kTileThreads / kGradientFilters;
    for (int i = static_cast<int>(threadIdx.x) / kGradientFilters; with_bias && i < kGradientDepth;
         i += kShares)
      bias += static_cast<Sum>(*factor.at(k, i));
  };
  for (std::int64_t first = begin;; first += kGradientDepth) {
    const int stage = static_cast<int>((first - begin) / kGradientDepth % Memory::kStages);
    const bool more = first < end;
    if (more) fetch(first);
    if constexpr (Memory::kStages == 2) {  // what was stored in the round before
      if (first > begin) multiply(1 - stage);
    }
    if (more) store(stage);
    __syncthreads();
    if (!more) break;
    if constexpr (Memory::kStages == 1) {
      multiply(stage);
      __syncthreads();
    }
  }

  Sum* const of_tile = at.sums();
  Sum* const beside = of_tile + kGradientFilters * Memory::kSumStride;
  sums.store(of_tile, Memory::kSumStride);
  beside[threadIdx.x] = bias;
  __syncthreads();
  if (static_cast<int>(threadIdx.x) < kGradientFilters) {
    for (int i = kGradientFilters; i < kTileThreads; i += kGradientFilters) bias += beside[k + i];
  }
  const int filters = min(kGradientFilters, p.filters - first_of_group);
  const int across = (slice.count + 3) / 4, fours = filters * across;
  const auto place = [&](int i) { return i / across * Memory::kSumStride + i % across * 4; };
  if (gridDim.z > 1) {
    // Strips of threads share out the ranges; their sums then lie side by side in shared memory.
    const unsigned tile = blockIdx.y * gridDim.x + blockIdx.x, tiles = gridDim.y * gridDim.x;
    const auto published = [&](unsigned range, int i) {
      const std::int64_t number = std::int64_t{range} * tiles + tile;
      return reinterpret_cast<Four*>(partial) + number * Memory::kFours + i;
    };
    for (int i = static_cast<int>(threadIdx.x); i < fours; i += kTileThreads)
      publish(published(blockIdx.z, i), load<4>(of_tile + place(i)));
    Sum* const of_bias = partial + std::int64_t{gridDim.z} * tiles * 4 * Memory::kFours;
    const auto place_of_bias = [&](unsigned range) {
      const std::int64_t group = range * p.g.groups + slice.group;
      return of_bias + (group * gridDim.y + blockIdx.y) * kGradientFilters + k;
    };
    if (with_bias && static_cast<int>(threadIdx.x) < filters)
      publish(place_of_bias(blockIdx.z), bias);
    if (!is_last_block(arrived + tile, gridDim.z)) return;
    if (with_bias && static_cast<int>(threadIdx.x) < filters) {
      bias = Sum(0);
      DRAPE_UNROLL(8)
      for (unsigned range = 0; range < gridDim.z; ++range) bias += collect(place_of_bias(range));
    }
    const int strips = std::max(1, kTileThreads / fours);
    Four* const of_strips = reinterpret_cast<Four*>(beside);
    for (int task = static_cast<int>(threadIdx.x); task < strips * fours; task += kTileThreads) {
      const int strip = task / fours, i = task - strip * fours;
      const auto first_of = [&](int one) {
        return gridDim.z * static_cast<unsigned>(one) / static_cast<unsigned>(strips);
      };
      Four total{};
      DRAPE_UNROLL(8)
      for (unsigned range = first_of(strip); range < first_of(strip + 1); ++range) {
        const Four other = collect(published(range, i));
        for (int j = 0; j < 4; ++j) total.value[j] += other.value[j];
      }
      if (strips == 1) {
        kernels::store(of_tile + place(i), total);
      } else {
        of_strips[task] = total;
      }
    }
    __syncthreads();
    if (strips > 1 && static_cast<int>(threadIdx.x) < fours) {
      Four total = of_strips[threadIdx.x];
      for (int strip = 1; strip < strips; ++strip) {
        for (int j = 0; j < 4; ++j)
          total.value[j] += of_strips[strip * fours + static_cast<int>(threadIdx.x)].value[j];
      }
      kernels::store(of_tile + place(static_cast<int>(threadIdx.x)), total);
    }
    __syncthreads();
  }
  for (int i = static_cast<int>(threadIdx.x); i < filters * slice.count; i += kTileThreads) {
    const int filter = i / slice.count, column = i - filter * slice.count;
    dw[(first_filter + filter) * p.columns() + slice.column + column] =
        static_cast<T>(of_tile[filter * Memory::kSumStride + column]);
  }
  if (with_bias && static_cast<int>(threadIdx.x) < filters)
    db[first_filter + k] = static_cast<T>(bias);
}

template <Columns way, class T>
unsigned slice_count(const Problem<T>& p) {
  const int all = static_cast<int>(p.g.groups) * p.columns();
  unsigned count = 0;
  for (int at = 0; at < all; ++count) at += slice_at<way>(p, at).count;
  return count;
}

/// dw, and db unless that is null, from dz [N,P,Q,K].
template <class Sampler, int blocks, class Tile, class T>
void patch_weight_gradient(Cuda cuda, const char* name, const Problem<T>& p, const T* dz, T* dw,
                           T* db) {
  using Sum = typename Tile::Sum;
  using Memory = WeightMemory<Sampler, T, Sum>;
  const unsigned slices = slice_count<Sampler::kWay>(p);
  const unsigned filter_tiles = count_of(p.filters, kGradientFilters);
  const unsigned tiles = slices * filter_tiles;
  // Enough blocks to fill a device, and no more partial sums than that takes.
  const std::int64_t most = std::min<std::int64_t>(264, count_of(p.pixels, kGradientDepth));
  const std::int64_t ranges = std::clamp<std::int64_t>(396 / tiles, 1, most);
  const std::int64_t of_range = (p.pixels + ranges - 1) / ranges;
  const unsigned used = count_of(p.pixels, of_range);
  const std::int64_t sums = std::int64_t{tiles} * Memory::kFours * 4;
  const std::int64_t of_bias = std::int64_t{filter_tiles} * kGradientFilters;
  const DeviceBuffer<Sum> partial(cuda, used == 1 ? 0 : used * (sums + p.g.groups * of_bias));
  launch(cuda, name, {dim3(slices, filter_tiles, used), dim3(kTileThreads), Memory::kBytes},
         weight_kernel<Sampler, (sizeof(T) > 4 ? 1 : blocks), Tile, T>, p, dz, of_range,
         partial.data(), arrival_counters(tiles), dw, db);
}

}  // namespace drape::kernels
