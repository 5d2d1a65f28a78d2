// The weights' gradient of deformable convolution: patches are sampled again, tile by tile, and
// never written out.
#include "kernels/deform_backward.cuh"

namespace drape::kernels {
namespace {

constexpr int kFilters = 64, kDepth = 32;  // of a tile: rows, and pixels that one product sums over

// dw of 64 filters (y) and one slice of columns (x), summed over a range of pixels (z); the last of
// the ranges' blocks adds up partial[z, K, taps, channels] in the order of z.
template <Columns way, int size, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, 2)
    weight_kernel(Problem<T> p, const T* dz, std::int64_t pixels_of_range,
                  typename Tile::Sum* partial, std::uint32_t* arrived, T* dw) {
  using Sum = typename Tile::Sum;
  using Gradients = Factor<T, kFilters, kDepth, Contiguous::row>;
  using Patches = Factor<T, kColumns, kDepth, Contiguous::row>;
  constexpr int kSumStride = kColumns + 4;
  constexpr std::size_t kBytes = std::max(sizeof(T) * (Gradients::kSize + Patches::kSize),
                                          sizeof(Sum) * kFilters * kSumStride);
  DRAPE_SHARED(unsigned char, memory, [kBytes]);
  DRAPE_SHARED(SamplingPoint<T>, points, [way == Columns::by_tap ? kDepth : 1]);
  const Gradients gradients{reinterpret_cast<T*>(memory)};
  const Patches patches{gradients.memory + Gradients::kSize};

  Slice slice = slice_at<way>(p, 0);
  for (int i = static_cast<int>(blockIdx.x), at = 0; i > 0; --i)
    slice = slice_at<way>(p, at += slice.count);
  const int first_of_group = static_cast<int>(blockIdx.y) * kFilters;
  const std::int64_t first_filter = slice.group * p.filters + first_of_group;
  const std::int64_t begin = blockIdx.z * pixels_of_range;
  const std::int64_t end = min(begin + pixels_of_range, p.pixels);

  Tile sums;
  Sampler<way, size, kDepth, T> sampler(p, &points[0]);
  for (std::int64_t first = begin; first < end; first += kDepth) {
    sampler.sample(slice, first, end, patches.memory, Patches::kStride);
    copy_tile<kDepth, kFilters>(
        Part<T>{dz + first * p.g.K + first_filter, p.g.K, end - first, p.filters - first_of_group},
        gradients.memory, Gradients::kStride);
    __syncthreads();
    sums.add_product(gradients, patches);
    __syncthreads();
  }

  Sum* of_tile = reinterpret_cast<Sum*>(memory);
  sums.store(of_tile, kSumStride);
  __syncthreads();
  const std::int64_t all = p.g.K * p.columns();
  const auto each_of_tile = [&](auto&& body) {  // body(place in dw, sum of the tile)
    for (int i = static_cast<int>(threadIdx.x); i < kFilters * kColumns; i += kTileThreads) {
      const int k = i / kColumns, column = i % kColumns;
      if (first_of_group + k >= p.filters || column >= slice.count) continue;
      body((first_filter + k) * p.columns() + slice.column + column,
           of_tile[k * kSumStride + column]);
    }
  };
  if (gridDim.z == 1)
    return each_of_tile([&](std::int64_t i, Sum sum) { dw[i] = static_cast<T>(sum); });
  each_of_tile([&](std::int64_t i, Sum sum) { publish(partial + blockIdx.z * all + i, sum); });
  if (!is_last_block(arrived + blockIdx.y * gridDim.x + blockIdx.x, gridDim.z)) return;
  each_of_tile([&](std::int64_t i, Sum) {
    Sum sum(0);
    for (unsigned range = 0; range < gridDim.z; ++range) sum += collect(partial + range * all + i);
    dw[i] = static_cast<T>(sum);
  });
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
  const std::int64_t most = std::min<std::int64_t>(64, count_of(p.pixels, kDepth));
  const std::int64_t ranges = std::clamp<std::int64_t>(1024 / (slices * filter_tiles), 1, most);
  const std::int64_t of_range = (p.pixels + ranges - 1) / ranges;
  const unsigned used = count_of(p.pixels, of_range);
  const DeviceBuffer<Sum> buffer(cuda, used * size);
  std::uint32_t* arrived = arrival_counters(cuda, std::int64_t{slices} * filter_tiles);
  const auto start = [&](auto kernel) {
    launch(cuda, "deform_conv2d_weight", {dim3(slices, filter_tiles, used), dim3(kTileThreads)},
           kernel, p, dz, of_range, buffer.data(), arrived, dw);
  };
  with_tile<kColumns, T>(cuda, [&]<class Tile>() {
    if (p.few_channels()) {
      start(weight_kernel<Columns::across_taps, 1, Tile, T>);
    } else if (p.vectors_fit()) {
      start(weight_kernel<Columns::by_tap, kVector<T>, Tile, T>);
    } else {
      start(weight_kernel<Columns::by_tap, 1, Tile, T>);
    }
  });
}

template void deform_weight_gradient(Cuda, const Problem<float>&, const float*, float*);
template void deform_weight_gradient(Cuda, const Problem<double>&, const double*, double*);
template void deform_weight_gradient(Cuda, const Problem<BFloat16>&, const BFloat16*, BFloat16*);

}  // namespace drape::kernels
