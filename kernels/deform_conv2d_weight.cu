// The weights' gradient of deformable convolution: patches are sampled again, tile by tile, and
// never written out.
#include "kernels/deform_backward.cuh"

namespace drape::kernels {
namespace {

constexpr int kFilters = 64, kDepth = 64;  // of a tile: rows, and pixels that one product sums over

// The shared memory of a block: two stages, of which one is filled while the other is multiplied
// (one for double, which is large), then the sampling points; in the end the sums. A slice by tap
// has one set of points, and so those of many pixels.
template <Columns way, class T, class Sum>
struct WeightMemory {
  using Gradients = Factor<T, kFilters, kDepth, Contiguous::row>;
  using Patches = Factor<T, kColumns, kDepth, Contiguous::row>;
  static constexpr int kRowsAhead = way == Columns::by_tap ? kTileThreads : kDepth;
  static constexpr int kSetsAhead = way == Columns::by_tap ? 1 : kSets;
  static constexpr int kStages = sizeof(T) > 4 ? 1 : 2, kSumStride = kColumns + 4;
  static constexpr std::size_t kStageBytes = sizeof(T) * (Gradients::kSize + Patches::kSize);
  static constexpr std::size_t kPointsAt =
      std::max(kStages * kStageBytes, sizeof(Sum) * kFilters * kSumStride);
  static constexpr std::size_t kBytes = kPointsAt + sizeof(Corners<T>) * kRowsAhead * kSetsAhead;

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
// the ranges' blocks adds up partial[z, K, taps, channels] in the order of z.
template <Columns way, int size, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, sizeof(T) > 4 ? 1 : sizeof(T) == 4 && size > 1 ? 3 : 2)
    weight_kernel(Problem<T> p, const T* dz, std::int64_t pixels_of_range,
                  typename Tile::Sum* partial, std::uint32_t* arrived, T* dw) {
  using Sum = typename Tile::Sum;
  using Memory = WeightMemory<way, T, Sum>;
  DRAPE_DYNAMIC_SHARED(unsigned char, memory);
  const Memory at{memory};

  Slice slice = slice_at<way>(p, 0);
  for (int i = static_cast<int>(blockIdx.x), position = 0; i > 0; --i)
    slice = slice_at<way>(p, position += slice.count);
  const int first_of_group = static_cast<int>(blockIdx.y) * kFilters;
  const std::int64_t first_filter = slice.group * p.filters + first_of_group;
  const std::int64_t begin = blockIdx.z * pixels_of_range;
  const std::int64_t end = min(begin + pixels_of_range, p.pixels);

  Sampler<way, size, kDepth, Memory::kRowsAhead, Memory::kSetsAhead, Tile, T> sampler(p, end,
                                                                                      at.points());
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
  // A thread has every eighth filter of one column.
  constexpr int kApart = kTileThreads / kColumns, kShare = kFilters / kApart;
  const int column = static_cast<int>(threadIdx.x) % kColumns;
  const int filter = static_cast<int>(threadIdx.x) / kColumns;
  const std::int64_t all = p.g.K * p.columns(), apart = std::int64_t{kApart} * p.columns();
  const std::int64_t place = (first_filter + filter) * p.columns() + slice.column + column;
  int share = 0;  // of its filters are there
  if (column < slice.count) share = (p.filters - first_of_group - filter + kApart - 1) / kApart;
  Sum total[kShare];
  for (int i = 0; i < kShare; ++i) {
    total[i] = of_tile[(filter + i * kApart) * Memory::kSumStride + column];
    if (gridDim.z > 1 && i < share)
      publish(partial + blockIdx.z * all + place + i * apart, total[i]);
  }
  if (gridDim.z > 1) {
    if (!is_last_block(arrived + blockIdx.y * gridDim.x + blockIdx.x, gridDim.z)) return;
    for (Sum& sum : total) sum = Sum(0);
    const Sum* from = partial + place;
    DRAPE_UNROLL(2)
    for (unsigned range = 0; range < gridDim.z; ++range, from += all) {
      for (int i = 0; i < kShare; ++i) {
        if (i < share) total[i] += collect(from + i * apart);
      }
    }
  }
  for (int i = 0; i < kShare; ++i) {
    if (i < share) dw[place + i * apart] = static_cast<T>(total[i]);
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
  const std::int64_t size = p.g.w_size();
  const unsigned slices =
      p.few_channels() ? slice_count<Columns::across_taps>(p) : slice_count<Columns::by_tap>(p);
  const unsigned filter_tiles = count_of(p.filters, kFilters);
  // Enough blocks to fill a device, and no more partial sums than that takes.
  const std::int64_t ranges = std::clamp<std::int64_t>(396 / (slices * filter_tiles), 1,
                                                       count_of(p.pixels, kDepth));
  const std::int64_t of_range = (p.pixels + ranges - 1) / ranges;
  const unsigned used = count_of(p.pixels, of_range);
  const DeviceBuffer<Sum> buffer(cuda, used * size);
  std::uint32_t* arrived = arrival_counters(cuda, std::int64_t{slices} * filter_tiles);
  const auto start = [&]<Columns way>(auto kernel) {
    launch(cuda, "deform_conv2d_weight",
           {dim3(slices, filter_tiles, used), dim3(kTileThreads), WeightMemory<way, T, Sum>::kBytes},
           kernel, p, dz, of_range, buffer.data(), arrived, dw);
  };
  with_tile<kColumns, T>(cuda, [&]<class Tile>() {
    if (p.few_channels()) {
      start.template operator()<Columns::across_taps>(
          weight_kernel<Columns::across_taps, 1, Tile, T>);
    } else if (p.vectors_fit()) {
      start.template operator()<Columns::by_tap>(
          weight_kernel<Columns::by_tap, kVector<T>, Tile, T>);
    } else {
      start.template operator()<Columns::by_tap>(weight_kernel<Columns::by_tap, 1, Tile, T>);
    }
  });
}

template void deform_weight_gradient(Cuda, const Problem<float>&, const float*, float*);
template void deform_weight_gradient(Cuda, const Problem<double>&, const double*, double*);
template void deform_weight_gradient(Cuda, const Problem<BFloat16>&, const BFloat16*, BFloat16*);

}  // namespace drape::kernels
