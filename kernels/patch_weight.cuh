// The gradient of a convolution's filters: patches are brought into shared memory by a sampler once
// more, tile by tile, and never written out.
#pragma once

#include "kernels/ceil_div.h"
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

// What a block does for dw of 64 filters (y) and one slice of columns (x) over a range of pixels
// (z), and with the first slice for their db.
template <class Sampler, class Tile, class T>
class WeightBlock {
 public:
  using Sum = typename Tile::Sum;
  using Memory = WeightMemory<Sampler, T, Sum>;

  __device__ WeightBlock(const Problem<T>& p, unsigned char* memory, bool with_bias)
      : p_(p), at_{memory}, slice_(slice_at<Sampler::kWay>(p, 0)) {
    for (int i = static_cast<int>(blockIdx.x), position = 0; i > 0; --i)
      slice_ = slice_at<Sampler::kWay>(p, position += slice_.count);
    first_of_group_ = static_cast<int>(blockIdx.y) * kGradientFilters;
    first_filter_ = slice_.group * p.filters + first_of_group_;
    filters_ = min(kGradientFilters, p.filters - first_of_group_);
    across_ = (slice_.count + 3) / 4;
    with_bias_ = with_bias && slice_.column == 0;
  }

  // Sums over pixels begin ... end - 1: of the tile to shared memory, of a filter to its thread.
  __device__ void sum_pixels(const T* dz, std::int64_t begin, std::int64_t end) {
    Sampler sampler(p_, end, at_.points());
    TileCopy<Tile, kGradientDepth, kGradientFilters, T> gradients;
    Tile sums;
    for (std::int64_t first = begin;; first += kGradientDepth) {
      const int stage = static_cast<int>((first - begin) / kGradientDepth % Memory::kStages);
      const bool more = first < end;
      if (more) {
        gradients.fetch({dz + first * p_.g.K + first_filter_, p_.g.K, end - first,
                         p_.filters - first_of_group_});
        sampler.fetch(slice_, first);
      }
      if constexpr (Memory::kStages == 2) {  // what was stored in the round before
        if (first > begin) multiply(1 - stage, sums);
      }
      if (more) {
        gradients.store(at_.gradients(stage).memory, Memory::Gradients::kStride);
        sampler.store(at_.patches(stage).memory, Memory::Patches::kStride);
      }
      __syncthreads();
      if (!more) break;
      if constexpr (Memory::kStages == 1) {
        multiply(stage, sums);
        __syncthreads();
      }
    }
    sums.store(at_.sums(), Memory::kSumStride);
    beside()[threadIdx.x] = bias_;
    __syncthreads();
    if (thread() >= kGradientFilters) return;
    for (int i = kGradientFilters; i < kTileThreads; i += kGradientFilters)
      bias_ += beside()[filter() + i];
  }

  // In the last block of its ranges the sums over all of them, in the order of z; false in others.
  // They are handed over in partial[z, y, x, 64, kColumns] and, behind it, [z, group, y, 64].
  __device__ bool add_ranges(Sum* partial, std::uint32_t* arrived) {
    const unsigned tile = blockIdx.y * gridDim.x + blockIdx.x, tiles = gridDim.y * gridDim.x;
    const auto published = [&](unsigned range, int i) {
      const std::int64_t number = std::int64_t{range} * tiles + tile;
      return reinterpret_cast<Four*>(partial) + number * Memory::kFours + i;
    };
    Sum* const of_bias = partial + std::int64_t{gridDim.z} * tiles * 4 * Memory::kFours;
    const auto published_bias = [&](unsigned range) {
      const std::int64_t group = range * p_.g.groups + slice_.group;
      return of_bias + (group * gridDim.y + blockIdx.y) * kGradientFilters + filter();
    };
    for (int i = thread(); i < fours(); i += kTileThreads)
      publish(published(blockIdx.z, i), load<4>(at_.sums() + place(i)));
    if (has_bias()) publish(published_bias(blockIdx.z), bias_);
    if (!is_last_block(arrived + tile, gridDim.z)) return false;
    if (has_bias()) {
      bias_ = Sum(0);
      DRAPE_UNROLL(8)
      for (unsigned range = 0; range < gridDim.z; ++range) bias_ += collect(published_bias(range));
    }
    collect_tile(published);
    return true;
  }

  __device__ void write(T* dw, T* db) const {
    for (int i = thread(); i < filters_ * slice_.count; i += kTileThreads) {
      const int filter = i / slice_.count, column = i - filter * slice_.count;
      dw[(first_filter_ + filter) * p_.columns() + slice_.column + column] =
          static_cast<T>(at_.sums()[filter * Memory::kSumStride + column]);
    }
    if (has_bias()) db[first_filter_ + filter()] = static_cast<T>(bias_);
  }

 private:
  using Four = Pack<Sum, 4>;

  __device__ static int thread() { return static_cast<int>(threadIdx.x); }
  // A thread has a filter and a share of the depth.
  __device__ static int filter() { return thread() % kGradientFilters; }
  __device__ bool has_bias() const { return with_bias_ && thread() < filters_; }
  // The tile's sums, four columns at a time: how many, and where they lie.
  __device__ int fours() const { return filters_ * across_; }
  __device__ int place(int i) const { return i / across_ * Memory::kSumStride + i % across_ * 4; }
  // Shared memory behind the tile's sums.
  __device__ Sum* beside() const { return at_.sums() + kGradientFilters * Memory::kSumStride; }

  __device__ void multiply(int stage, Tile& sums) {
    const auto factor = at_.gradients(stage);
    sums.add_product(factor, at_.patches(stage));
    constexpr int kShares = kTileThreads / kGradientFilters;
    for (int i = thread() / kGradientFilters; with_bias_ && i < kGradientDepth; i += kShares)
      bias_ += static_cast<Sum>(*factor.at(filter(), i));
  }

  // Adds up what the ranges' blocks published. Strips of threads share out the ranges; their sums
  // then lie side by side in shared memory.
  template <class Published>
  __device__ void collect_tile(const Published& published) {
    const int strips = std::max(1, kTileThreads / fours());
    Four* const of_strips = reinterpret_cast<Four*>(beside());
    for (int task = thread(); task < strips * fours(); task += kTileThreads) {
      const int strip = task / fours(), i = task - strip * fours();
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
        store(at_.sums() + place(i), total);
      } else {
        of_strips[task] = total;
      }
    }
    __syncthreads();
    if (strips > 1 && thread() < fours()) {
      Four total = of_strips[thread()];
      for (int strip = 1; strip < strips; ++strip) {
        for (int j = 0; j < 4; ++j)
          total.value[j] += of_strips[strip * fours() + thread()].value[j];
      }
      store(at_.sums() + place(thread()), total);
    }
    __syncthreads();
  }

  const Problem<T>& p_;
  Memory at_;
  Slice slice_;
  int first_of_group_, filters_, across_;
  std::int64_t first_filter_;
  bool with_bias_;
  Sum bias_ = Sum(0);
};

// dw and, unless that is null, db, the sum of dz. The last of the ranges' blocks adds them up.
template <class Sampler, int blocks, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, DRAPE_BLOCKS(blocks))
    weight_kernel(Problem<T> p, const T* dz, std::int64_t pixels_of_range,
                  typename Tile::Sum* partial, std::uint32_t* arrived, T* dw, T* db) {
  DRAPE_DYNAMIC_SHARED(unsigned char, memory);
  WeightBlock<Sampler, Tile, T> block(p, memory, db != nullptr);
  const std::int64_t begin = blockIdx.z * pixels_of_range;
  block.sum_pixels(dz, begin, min(begin + pixels_of_range, p.pixels));
  if (gridDim.z > 1 && !block.add_ranges(partial, arrived)) return;
  block.write(dw, db);
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
  const std::int64_t of_range = ceil_div(p.pixels, ranges);
  const unsigned used = count_of(p.pixels, of_range);
  const std::int64_t sums = std::int64_t{tiles} * Memory::kFours * 4;
  const std::int64_t of_bias = std::int64_t{filter_tiles} * kGradientFilters;
  const DeviceBuffer<Sum> partial(cuda, used == 1 ? 0 : used * (sums + p.g.groups * of_bias));
  launch(cuda, name, {dim3(slices, filter_tiles, used), dim3(kTileThreads), Memory::kBytes},
         weight_kernel<Sampler, (sizeof(T) > 4 ? 1 : blocks), Tile, T>, p, dz, of_range,
         partial.data(), arrival_counters(tiles), dw, db);
}

}  // namespace drape::kernels
