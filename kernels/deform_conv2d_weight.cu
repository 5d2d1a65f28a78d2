// The weights' gradient of deformable convolution: patches are sampled again, tile by tile, and
// never written out.
#include "kernels/deform_backward.cuh"

namespace drape::kernels {
namespace {

constexpr int kFilters = 64, kDepth = 64;  // of a tile: rows, and pixels that one product sums over
constexpr int kFours = kFilters * kColumns / 4;

__device__ int thread() {
  return static_cast<int>(threadIdx.x);
}

// The shared memory of a block: two stages, of which one is filled while the other is multiplied
// (one for double, which is large), then the sampling points; in the end the sums.
template <class Sampler, class T, class Sum>
struct WeightMemory {
  using Gradients = Factor<T, kFilters, kDepth, Contiguous::row>;
  using Patches = Factor<T, kColumns, kDepth, Contiguous::row>;
  static constexpr int kStages = sizeof(T) > 4 ? 1 : 2, kSumStride = kColumns + 4;
  static constexpr std::size_t kStageBytes = sizeof(T) * (Gradients::kSize + Patches::kSize);
  static constexpr std::size_t kPointsAt =
      std::max(kStages * kStageBytes, 2 * sizeof(Sum) * kFilters * kSumStride);
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

// dw of 64 filters (y) and one slice of columns (x), summed over a range of pixels (z); the last of
// the ranges' blocks adds up partial[z, y, x, 64, kColumns] in the order of z.
template <class Sampler, int blocks, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, blocks)
    weight_kernel(Problem<T> p, const T* dz, std::int64_t pixels_of_range,
                  typename Tile::Sum* partial, std::uint32_t* arrived, T* dw) {
  using Sum = typename Tile::Sum;
  using Memory = WeightMemory<Sampler, T, Sum>;
  using Four = Pack<Sum, 4>;
  constexpr Columns way = Sampler::kWay;
  DRAPE_DYNAMIC_SHARED(unsigned char, memory);
  const Memory at{memory};

  Slice slice = slice_at<way>(p, 0);
  for (int i = static_cast<int>(blockIdx.x), position = 0; i > 0; --i)
    slice = slice_at<way>(p, position += slice.count);
  const int first_of_group = static_cast<int>(blockIdx.y) * kFilters;
  const std::int64_t first_filter = slice.group * p.filters + first_of_group;
  const std::int64_t begin = blockIdx.z * pixels_of_range;
  const std::int64_t end = min(begin + pixels_of_range, p.pixels);

  Sampler sampler(p, end, at.points());
  const auto fill = [&](std::int64_t first, int stage) {
    sampler.sample(slice, first, at.patches(stage).memory, Memory::Patches::kStride);
    copy_tile<Tile, kDepth, kFilters>(
        Part<T>{dz + first * p.g.K + first_filter, p.g.K, end - first, p.filters - first_of_group},
        at.gradients(stage).memory, Memory::Gradients::kStride);
  };
  Tile sums;
  for (std::int64_t first = begin;; first += kDepth) {
    const int stage = static_cast<int>((first - begin) / kDepth % Memory::kStages);
    const bool more = first < end;
    if (more) fill(first, stage);
    if constexpr (Memory::kStages == 2) {  // what was filled in the round before
      if (first > begin) sums.add_product(at.gradients(1 - stage), at.patches(1 - stage));
    }
    __syncthreads();
    if (!more) break;
    if constexpr (Memory::kStages == 1) {
      sums.add_product(at.gradients(stage), at.patches(stage));
      __syncthreads();
    }
  }

  Sum* const of_tile = at.sums();
  sums.store(of_tile, Memory::kSumStride);
  __syncthreads();
  const int filters = min(kFilters, p.filters - first_of_group);
  const int across = (slice.count + 3) / 4, fours = filters * across;
  const auto place = [&](int i) { return i / across * Memory::kSumStride + i % across * 4; };
  if (gridDim.z > 1) {
    // Strips of threads share out the ranges, at most two of each four sums: they then lie side by
    // side in shared memory.
    const unsigned tile = blockIdx.y * gridDim.x + blockIdx.x, tiles = gridDim.y * gridDim.x;
    const auto published = [&](unsigned range, int i) {
      return reinterpret_cast<Four*>(partial) + (std::int64_t{range} * tiles + tile) * kFours + i;
    };
    for (int i = thread(); i < fours; i += kTileThreads)
      publish(published(blockIdx.z, i), load<4>(of_tile + place(i)));
    if (!is_last_block(arrived + tile, gridDim.z)) return;
    const int strips = 2 * fours <= kTileThreads ? 2 : 1;
    for (int task = thread(); task < strips * fours; task += kTileThreads) {
      const int strip = task / fours, i = task - strip * fours;
      const unsigned begin = gridDim.z * static_cast<unsigned>(strip) / strips;
      const unsigned end = gridDim.z * static_cast<unsigned>(strip + 1) / strips;
      Four total{};
      DRAPE_UNROLL(8)
      for (unsigned range = begin; range < end; ++range) {
        const Four other = collect(published(range, i));
        for (int j = 0; j < 4; ++j) total.value[j] += other.value[j];
      }
      store(of_tile + strip * kFilters * Memory::kSumStride + place(i), total);
    }
    __syncthreads();
    for (int i = thread(); strips == 2 && i < fours; i += kTileThreads) {
      for (int j = place(i); j < place(i) + 4; ++j)
        of_tile[j] += of_tile[kFilters * Memory::kSumStride + j];
    }
    __syncthreads();
  }
  for (int i = thread(); i < filters * slice.count; i += kTileThreads) {
    const int k = i / slice.count, column = i % slice.count;
    dw[(first_filter + k) * p.columns() + slice.column + column] =
        static_cast<T>(of_tile[k * Memory::kSumStride + column]);
  }
}

template <Columns way, class T>
unsigned slice_count(const Problem<T>& p) {
  const int all = static_cast<int>(p.g.groups) * p.columns();
  unsigned count = 0;
  for (int at = 0; at < all; ++count) at += slice_at<way>(p, at).count;
  return count;
}

}  // namespace

template <class T>
void deform_weight_gradient(Cuda cuda, const Problem<T>& p, const T* dz, T* dw) {
  using Sum = Accumulator<T>;
  const unsigned slices =
      p.few_channels() ? slice_count<Columns::across_taps>(p) : slice_count<Columns::by_tap>(p);
  const unsigned filter_tiles = count_of(p.filters, kFilters), tiles = slices * filter_tiles;
  // Enough blocks to fill a device, and no more partial sums than that takes.
  const std::int64_t most = std::min<std::int64_t>(132, count_of(p.pixels, kDepth));
  const std::int64_t ranges = std::clamp<std::int64_t>(396 / tiles, 1, most);
  const std::int64_t of_range = (p.pixels + ranges - 1) / ranges;
  const unsigned used = count_of(p.pixels, of_range);
  const DeviceBuffer<Sum> buffer(cuda, used == 1 ? 0 : std::int64_t{used} * tiles * kFours * 4);
  std::uint32_t* arrived = arrival_counters(cuda, tiles);
  with_tile<kColumns, T>(cuda, [&]<class Tile>() {
    const auto with_sampler = [&]<class Sampler, int blocks>() {
      launch(cuda, "deform_conv2d_weight",
             {dim3(slices, filter_tiles, used), dim3(kTileThreads),
              WeightMemory<Sampler, T, Sum>::kBytes},
             weight_kernel<Sampler, (sizeof(T) > 4 ? 1 : blocks), Tile, T>, p, dz, of_range,
             buffer.data(), arrived, dw);
    };
    if (p.few_channels()) {
      with_sampler.template operator()<PatchSampler<kDepth, Tile, T>, 2>();
    } else if (p.vectors_fit()) {
      using Sampler = TapSampler<kVector<T>, kDepth, kTileThreads, 1, Tile, T>;
      with_sampler.template operator()<Sampler, sizeof(T) == 4 ? 3 : 2>();
    } else {
      with_sampler.template operator()<TapSampler<1, kDepth, kTileThreads, 1, Tile, T>, 2>();
    }
  });
}

template void deform_weight_gradient(Cuda, const Problem<float>&, const float*, float*);
template void deform_weight_gradient(Cuda, const Problem<double>&, const double*, double*);
template void deform_weight_gradient(Cuda, const Problem<BFloat16>&, const BFloat16*, BFloat16*);

}  // namespace drape::kernels
