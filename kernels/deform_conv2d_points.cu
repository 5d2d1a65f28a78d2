// What flows back through the samples of deformable convolution: to offsets, masks and the image.
// dL/d(sample) is made tile by tile in shared memory and never written out. Nothing adds with
// atomics: the shape decides the order of every sum.
#include "kernels/deform_backward.cuh"

namespace drape::kernels {
namespace {

constexpr int kLanes = 32, kWarps = kTileThreads / kLanes;
constexpr int kDepth = 32;  // filters that one product sums over

// An image in ranges of consecutive pixels, of which a block adds dx up in shared memory.
struct Bands {
  int count, pixels;
};

// The pixels that a tile of output pixels and a tap touch; first > last if none.
struct Extent {
  std::int32_t first, last;
};

// A slice of the channels of one offset group and one weight group, and how many came before it in
// its offset group.
struct ChannelSlice {
  Slice slice;
  int index;
};

template <class T>
DRAPE_HOST_DEVICE ChannelSlice channel_slice(const Problem<T>& p, int number) {
  ChannelSlice found{slice_at<Columns::by_tap>(p, 0), 0};
  for (; number > 0; --number) {
    const int channel = found.slice.channel + found.slice.count;
    const int position = channel / p.channels * p.columns() + channel % p.channels;
    const int before = found.slice.offset_group;
    found.slice = slice_at<Columns::by_tap>(p, position);
    found.index = found.slice.offset_group == before ? found.index + 1 : 0;
  }
  return found;
}

// extents[n, offset group, tile, tap], a warp each.
template <class T>
__global__ void __launch_bounds__(kTileThreads)
    extents_kernel(Problem<T> p, int tiles, Extent* extents) {
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const std::int64_t i =
      static_cast<std::int64_t>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kLanes;
  if (i >= p.g.N * p.offset_groups * tiles * p.taps) return;
  const int tap = static_cast<int>(i % p.taps), tile = static_cast<int>(i / p.taps % tiles);
  const auto offset_group = static_cast<int>(i / p.taps / tiles % p.offset_groups);
  const std::int64_t n = i / p.taps / tiles / p.offset_groups;
  Extent extent{INT32_MAX, -1};
  for (std::int64_t m = tile * kTileRows + lane; m < (tile + 1) * kTileRows; m += kLanes) {
    if (m >= p.outputs) break;
    const SamplingPoint<T> point(p, n * p.outputs + m, offset_group, tap);
    for (const std::int32_t corner : point.corner) {
      if (corner < 0) continue;
      extent = {min(extent.first, corner), max(extent.last, corner)};
    }
  }
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    extent.first = min(extent.first, __shfl_xor_sync(0xffffffffu, extent.first, distance));
    extent.last = max(extent.last, __shfl_xor_sync(0xffffffffu, extent.last, distance));
  }
  if (lane == 0) extents[i] = extent;
}

// d_offset, d_mask and dx. A block has one slice of channels, a lane each, and one band of one
// image. It takes the tiles of 64 output pixels and the taps that touch the band: ds = dL/d(sample)
// = dz w into shared memory; from it the gradients of the 64 points, and what they add to the
// band. There every warp owns the pixels i with i % 8 = warp, and goes through the points in order.
template <class Tile, class T>
class PointBackward {
 public:
  using Real = Accumulator<T>;
  using Gradients = Factor<T, kTileRows, kDepth, Contiguous::depth>;
  using Weights = Factor<T, kColumns, kDepth, Contiguous::row>;
  static constexpr int kStride = kColumns + 4;  // of ds
  static constexpr std::size_t kBytes =
      std::max(sizeof(T) * (Gradients::kSize + Weights::kSize), sizeof(Real) * kTileRows * kStride);

  __device__ PointBackward(const Problem<T>& p, const T* dz, int tiles, unsigned char* memory,
                           SamplingPoint<T>* points, Real* band)
      : p_(p),
        dz_(dz),
        tiles_(tiles),
        memory_(memory),
        points_(points),
        band_(band),
        chosen_(channel_slice(p, static_cast<int>(blockIdx.y))) {}

  __device__ void run(const Bands& bands, const Extent* extents, const PointGradients<Real>& out,
                      T* dx) {
    const std::int64_t n = blockIdx.x / bands.count;
    const int index = static_cast<int>(blockIdx.x % bands.count);
    const auto image = static_cast<int>(p_.g.H * p_.g.W);
    begin_ = index * bands.pixels;
    end_ = dx == nullptr ? begin_ : min(begin_ + bands.pixels, image);
    for (int i = thread(); i < (end_ - begin_) * kLanes; i += kTileThreads) band_[i] = Real(0);

    const int pairs = tiles_ * p_.taps;
    for (int ahead = 0; ahead < pairs; ahead += kLanes) {
      const int mine = ahead + lane();
      const bool wanted =
          mine < pairs && (owner(mine / p_.taps, bands) == index || touches(extents, n, mine));
      for (unsigned left = __ballot_sync(0xffffffffu, wanted); left != 0; left &= left - 1) {
        const int pair = ahead + __ffs(static_cast<int>(left)) - 1, tile = pair / p_.taps;
        work(n * p_.outputs, tile * kTileRows, pair % p_.taps);
        if (owner(tile, bands) == index) write_points(n * p_.outputs, tile * kTileRows, out);
        if (begin_ < end_) scatter();
        __syncthreads();
      }
    }
    __syncthreads();
    const Slice& slice = chosen_.slice;
    for (int i = thread(); i < (end_ - begin_) * kLanes; i += kTileThreads) {
      if (i % kLanes >= slice.count) continue;
      dx[(n * image + begin_ + i / kLanes) * p_.g.C + slice.channel + i % kLanes] =
          static_cast<T>(band_[i]);
    }
  }

 private:
  // The band that works out the gradients of a tile's points: one near them.
  __device__ int owner(int tile, const Bands& bands) const {
    if (bands.count == 1) return 0;
    const std::int64_t output = tile * kTileRows;
    const std::int64_t y = min(output / p_.g.Q * p_.g.stride.y, p_.g.H - 1);
    const std::int64_t x = min(output % p_.g.Q * p_.g.stride.x, p_.g.W - 1);
    return static_cast<int>((y * p_.g.W + x) / bands.pixels);
  }

  __device__ bool touches(const Extent* extents, std::int64_t n, int pair) const {
    if (extents == nullptr) return begin_ < end_;
    const Extent extent =
        extents[(n * p_.offset_groups + chosen_.slice.offset_group) * tiles_ * p_.taps + pair];
    return extent.first < end_ && extent.last >= begin_;
  }

  // Makes the points and ds of 64 pixels, counted from the image's first, and a tap.
  __device__ void work(std::int64_t image, int first, int tap) {
    const Slice& slice = chosen_.slice;
    const Gradients gradients{reinterpret_cast<T*>(memory_)};
    const Weights weights{gradients.memory + Gradients::kSize};
    tap_ = tap;
    rows_ = static_cast<int>(min(std::int64_t{kTileRows}, p_.outputs - first));
    if (thread() < rows_)
      points_[thread()] = SamplingPoint<T>(p_, image + first + thread(), slice.offset_group, tap);
    Tile sums;
    for (int k = 0; k < p_.filters; k += kDepth) {
      const std::int64_t filter = slice.group * p_.filters + k;
      copy_tile<kTileRows, kDepth>(
          Part<T>{dz_ + (image + first) * p_.g.K + filter, p_.g.K, rows_, p_.filters - k},
          gradients.memory, Gradients::kStride);
      copy_tile<kDepth, kColumns>(
          Part<T>{p_.in.w + filter * p_.columns() + tap * p_.channels + slice.column, p_.columns(),
                  p_.filters - k, slice.count},
          weights.memory, Weights::kStride);
      __syncthreads();
      sums.add_product(gradients, weights);
      __syncthreads();
    }
    sums.store(ds(), kStride);
    __syncthreads();
  }

  // d_offset and d_mask of the points: a warp each, lanes over channels.
  __device__ void write_points(std::int64_t image, int first, const PointGradients<Real>& out) {
    if (!out.wanted()) return;
    for (int m = warp(); m < rows_; m += kWarps) {
      const SamplingPoint<T>& point = points_[m];
      PointSums<Real> sums;
      if (lane() < chosen_.slice.count)
        sums.add(p_, point, chosen_.slice.channel + lane(), ds()[m * kStride + lane()]);
      sums = {warp_sum(sums.dy), warp_sum(sums.dx), warp_sum(sums.value)};
      if (lane() != 0) continue;
      const std::int64_t j = chosen_.index * out.distance +
                             p_.point(image + first + m, chosen_.slice.offset_group, tap_);
      sums.write(out, j, point.mask);
    }
  }

  // Adds what the points send to the pixels of the band.
  __device__ void scatter() {
    for (int ahead = 0; ahead < 4 * rows_; ahead += kLanes) {
      const int i = ahead + lane();
      bool mine = false;
      if (i < 4 * rows_) {
        const std::int32_t pixel = points_[i / 4].corner[i % 4];
        mine = pixel >= begin_ && pixel < end_ && pixel % kWarps == warp();
      }
      for (unsigned left = __ballot_sync(0xffffffffu, mine); left != 0; left &= left - 1) {
        const int next = ahead + __ffs(static_cast<int>(left)) - 1, m = next / 4;
        const SamplingPoint<T>& point = points_[m];
        band_[(point.corner[next % 4] - begin_) * kLanes + lane()] +=
            point.weight[next % 4] * ds()[m * kStride + lane()];
      }
    }
  }

  __device__ Real* ds() const { return reinterpret_cast<Real*>(memory_); }
  __device__ static int thread() { return static_cast<int>(threadIdx.x); }
  __device__ static int lane() { return thread() % kLanes; }
  __device__ static int warp() { return thread() / kLanes; }

  const Problem<T>& p_;
  const T* dz_;
  int tiles_;
  unsigned char* memory_;
  SamplingPoint<T>* points_;
  Real* band_;
  ChannelSlice chosen_;
  int begin_ = 0, end_ = 0;  // pixels of the band
  int tap_ = 0, rows_ = 0;   // what work() made
};

template <class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, 2)
    points_kernel(Problem<T> p, const T* dz, int tiles, Bands bands, const Extent* extents,
                  PointGradients<Accumulator<T>> out, T* dx) {
  using Backward = PointBackward<Tile, T>;
  DRAPE_SHARED(unsigned char, memory, [Backward::kBytes]);
  DRAPE_SHARED(SamplingPoint<T>, points, [kTileRows]);
  DRAPE_DYNAMIC_SHARED(Accumulator<T>, band);
  Backward(p, dz, tiles, &memory[0], &points[0], band).run(bands, extents, out, dx);
}

// sums[i] = partial[0, i] + partial[1, i] + ...
template <class Real>
void add_partials(Cuda cuda, const Real* partial, int parts, std::int64_t size, Real* sums) {
  for_each(cuda, "deform_conv2d_points_sum", size, [=] __device__(std::int64_t i) {
    Real sum = partial[i];
    for (int part = 1; part < parts; ++part) sum += partial[part * size + i];
    sums[i] = sum;
  });
}

// d_offset and d_mask where an offset group has few channels: a thread per point.
template <class T>
void few_channels(Cuda cuda, const Problem<T>& p, const T* dz,
                  const PointGradients<Accumulator<T>>& out) {
  using Real = Accumulator<T>;
  const std::int64_t points = p.pixels * p.offset_groups * p.taps;
  for_each(cuda, "deform_conv2d_points_few_channels", points, [=] __device__(std::int64_t j) {
    const int tap = static_cast<int>(j % p.taps);
    const int offset_group = static_cast<int>(j / p.taps % p.offset_groups);
    const std::int64_t pixel = j / p.taps / p.offset_groups;
    const SamplingPoint<T> point(p, pixel, offset_group, tap);
    PointSums<Real> sums;
    for (int i = 0; i < p.channels_of_offset; ++i) {
      const int c = offset_group * p.channels_of_offset + i, group = c / p.channels;
      const T* gradients = dz + pixel * p.g.K + group * p.filters;
      const T* weights = p.in.w + static_cast<std::int64_t>(group) * p.filters * p.columns() +
                         tap * p.channels + c % p.channels;
      Real ds(0);
      for (int k = 0; k < p.filters; ++k)
        ds += static_cast<Real>(gradients[k]) * static_cast<Real>(weights[k * p.columns()]);
      sums.add(p, point, c, ds);
    }
    sums.write(out, j, point.mask);
  });
}

// Bands of an image that leave room for a second block on a multiprocessor.
template <class T>
Bands bands_of(const Problem<T>& p) {
  constexpr std::int64_t kBytes = 96 << 10;
  const std::int64_t image = p.g.H * p.g.W;
  const std::int64_t most = kBytes / kLanes / static_cast<std::int64_t>(sizeof(Accumulator<T>));
  const std::int64_t count = (image + most - 1) / most;
  return {static_cast<int>(count), static_cast<int>((image + count - 1) / count)};
}

// Gradients of the points by way of partial sums, if an offset group has several slices, and dx.
template <class T>
void all_channels(Cuda cuda, const Problem<T>& p, const T* dz,
                  const PointGradients<Accumulator<T>>& out, T* dx) {
  using Real = Accumulator<T>;
  int slices = 1, parts = 1;
  for (ChannelSlice last = channel_slice(p, 0); last.slice.channel + last.slice.count < p.g.C;) {
    last = channel_slice(p, slices++);
    parts = std::max(parts, last.index + 1);
  }
  const bool direct = parts == 1 || !out.wanted();
  const std::int64_t points = p.pixels * p.offset_groups * p.taps;
  const DeviceBuffer<Real> buffer(cuda, direct ? 0 : 3 * parts * points);
  PointGradients<Real> to = out;
  if (!direct) {
    fill_zero(cuda, buffer.data(), static_cast<std::size_t>(3 * parts * points) * sizeof(Real));
    to = {out.d_offset == nullptr ? nullptr : buffer.data(),
          out.d_mask == nullptr ? nullptr : buffer.data() + 2 * parts * points, points};
  }

  const Bands bands = dx == nullptr ? Bands{1, 1} : bands_of(p);
  const int tiles = static_cast<int>(count_of(p.outputs, kTileRows));
  const std::int64_t pairs = p.g.N * p.offset_groups * tiles * p.taps;
  const DeviceBuffer<Extent> extents(cuda, bands.count == 1 ? 0 : pairs);
  if (bands.count > 1) {
    launch(cuda, "deform_conv2d_extents", {dim3(count_of(pairs, kWarps)), dim3(kTileThreads)},
           extents_kernel<T>, p, tiles, extents.data());
  }
  with_tile<kColumns, T>(cuda, [&]<class Tile>() {
    launch(cuda, "deform_conv2d_points",
           {dim3(static_cast<unsigned>(p.g.N * bands.count), static_cast<unsigned>(slices)),
            dim3(kTileThreads), static_cast<std::size_t>(bands.pixels) * kLanes * sizeof(Real)},
           points_kernel<Tile, T>, p, dz, tiles, bands, bands.count == 1 ? nullptr : extents.data(),
           to, dx);
  });
  if (direct) return;
  if (out.d_offset != nullptr) add_partials(cuda, to.d_offset, parts, 2 * points, out.d_offset);
  if (out.d_mask != nullptr) add_partials(cuda, to.d_mask, parts, points, out.d_mask);
}

}  // namespace

template <class T>
void deform_point_gradients(Cuda cuda, const Problem<T>& p, const T* dz,
                            PointGradients<Accumulator<T>> out, T* dx) {
  constexpr int kFewChannels = 4;
  if (p.channels_of_offset <= kFewChannels && out.wanted()) {
    few_channels(cuda, p, dz, out);
    out = {};
  }
  if (dx != nullptr || out.wanted()) all_channels(cuda, p, dz, out, dx);
}

template void deform_point_gradients(Cuda, const Problem<float>&, const float*,
                                     PointGradients<float>, float*);
template void deform_point_gradients(Cuda, const Problem<double>&, const double*,
                                     PointGradients<double>, double*);
template void deform_point_gradients(Cuda, const Problem<BFloat16>&, const BFloat16*,
                                     PointGradients<float>, BFloat16*);

}  // namespace drape::kernels
