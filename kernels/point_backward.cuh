// Backward through the samples of deformable convolution where an offset group has many channels.
// dL/d(sample) is made tile by tile in shared memory and never written out. Nothing adds with
// atomics: the shape decides the order of every sum.
#pragma once

#include "kernels/deform_backward.cuh"

namespace drape::kernels {

inline constexpr int kLanes = 32, kWarps = kTileThreads / kLanes;
inline constexpr int kTapsAhead = 4;  // whose points are worked out at once

/// An image in ranges of consecutive pixels, of which a block adds dx up in shared memory.
struct Bands {
  int count, pixels;
};

/// The pixels that a tile of output pixels and a tap touch; first > last if none.
struct Extent {
  std::int32_t first, last;
};

/// A slice of the channels of one offset group and one weight group, and how many came before it in
/// its offset group.
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

/// extents[n, offset group, tile, tap], a warp each.
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
  for (int m = tile * kTileRows + lane; m < (tile + 1) * kTileRows; m += kLanes) {
    if (m >= p.outputs) break;
    const SamplingPoint<T> point(p, p.pixel(n * p.outputs + m), offset_group, tap);
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

// The shared memory of a block of points_kernel, of which the band of dx is as large as it is
// asked for.
template <class T>
struct PointsMemory {
  using Real = Accumulator<T>;
  static constexpr int kDepth = sizeof(T) > 4 ? 32 : 64;  // filters that one product sums over
  using Gradients = Factor<T, kTileRows, kDepth, Contiguous::depth>;
  using Weights = Factor<T, kColumns, kDepth, Contiguous::row>;
  static constexpr int kStride = kColumns + 4;  // of ds
  static constexpr std::size_t kSumsAt = sizeof(T) * (Gradients::kSize + Weights::kSize);
  static constexpr std::size_t kPointsAt = kSumsAt + sizeof(Real) * kTileRows * kStride;
  static constexpr std::size_t kBandAt =
      (kPointsAt + sizeof(SamplingPoint<T>) * kTileRows * kTapsAhead + 15) / 16 * 16;

  unsigned char* memory;

  __device__ Gradients gradients() const { return {reinterpret_cast<T*>(memory)}; }
  __device__ Weights weights() const { return {gradients().memory + Gradients::kSize}; }
  __device__ Real* ds() const { return reinterpret_cast<Real*>(memory + kSumsAt); }
  __device__ SamplingPoint<T>* points() const {
    return reinterpret_cast<SamplingPoint<T>*>(memory + kPointsAt);
  }
  __device__ Real* band() const { return reinterpret_cast<Real*>(memory + kBandAt); }
};

/// The taps that a block works on: those of an image are shared out among `parts` blocks, of which
/// the last adds up what they made of dx, partial[slice, band of the batch, part, pixel, kLanes].
template <class Real>
struct Parts {
  int count, pixels;  // of a band
  Real* partial;
  std::uint32_t* arrived;
};

/// d_offset, d_mask and dx. A block has one slice of channels, one band of one image and some taps.
/// It takes the tiles of 64 output pixels and the taps that touch the band: ds = dL/d(sample) = dz
/// w into shared memory; from it the gradients of the 64 points, and what they add to the band.
template <int size, class Tile, class T>
class PointBackward {
 public:
  using Real = Accumulator<T>;
  using Memory = PointsMemory<T>;

  __device__ PointBackward(const Problem<T>& p, const T* dz, int tiles, const Memory& memory)
      : p_(p),
        dz_(dz),
        tiles_(tiles),
        at_(memory),
        chosen_(channel_slice(p, static_cast<int>(blockIdx.y))) {}

  __device__ void run(const Bands& bands, const Parts<Real>& parts, const Extent* extents,
                      const PointGradients<Real>& out, T* dx) {
    const auto part = static_cast<int>(blockIdx.x) % parts.count;
    const auto of_batch = static_cast<int>(blockIdx.x) / parts.count;
    const int index = of_batch % bands.count;
    n_ = of_batch / bands.count;
    image_ = static_cast<int>(p_.g.H * p_.g.W);
    begin_ = index * bands.pixels;
    end_ = dx == nullptr ? begin_ : min(begin_ + bands.pixels, image_);
    first_tap_ = part * p_.taps / parts.count;
    const int taps = (part + 1) * p_.taps / parts.count - first_tap_, pairs = tiles_ * taps;
    for (int i = thread(); i < (end_ - begin_) * kLanes; i += kTileThreads) at_.band()[i] = Real(0);

    for (int ahead = 0; ahead < pairs; ahead += kLanes) {
      const int mine = ahead + lane();
      const bool wanted = mine < pairs && (owner(mine / taps, bands) == index ||
                                           touches(extents, mine / taps, first_tap_ + mine % taps));
      for (unsigned left = __ballot_sync(0xffffffffu, wanted); left != 0; left &= left - 1) {
        const int pair = ahead + __ffs(static_cast<int>(left)) - 1, tile = pair / taps;
        work(tile, first_tap_ + pair % taps);
        if (owner(tile, bands) == index) write_points(out);
        if (begin_ < end_) scatter();
        __syncthreads();
      }
    }
    if (dx != nullptr) write_band(parts, part, dx);
  }

 private:
  // What a point of the tile sends to a pixel of the band: so much of its ds.
  struct Sent {
    std::uint16_t point, pixel;
    Real weight;
  };

  // Lanes of one that scatters, and how many share out the pixels.
  static constexpr int kAcross = kColumns / kVector<Real>, kOwners = kTileThreads / kAcross;

  // The band that works out the gradients of a tile's points: one near them.
  __device__ int owner(int tile, const Bands& bands) const {
    if (bands.count == 1) return 0;
    const std::int64_t output = tile * kTileRows;
    const std::int64_t y = min(output / p_.g.Q * p_.g.stride.y, p_.g.H - 1);
    const std::int64_t x = min(output % p_.g.Q * p_.g.stride.x, p_.g.W - 1);
    return static_cast<int>((y * p_.g.W + x) / bands.pixels);
  }

  // Whether a tile and a tap, of an image of several bands, touch this one.
  __device__ bool touches(const Extent* extents, int tile, int tap) const {
    const std::int64_t group = n_ * p_.offset_groups + chosen_.slice.offset_group;
    const Extent extent = extents[(group * tiles_ + tile) * p_.taps + tap];
    return extent.first < end_ && extent.last >= begin_;
  }

  // Makes the points and ds of a tile and a tap.
  __device__ void work(int tile, int tap) {
    constexpr int kDepth = Memory::kDepth;
    const Slice& slice = chosen_.slice;
    const bool same_tile = tile == tile_;
    tile_ = tile;
    first_ = tile * kTileRows;
    rows_ = static_cast<int>(min(std::int64_t{kTileRows}, p_.outputs - first_));
    if (!same_tile || tap < point_tap_ || tap >= point_tap_ + kTapsAhead) {
      point_tap_ = tap;
      for (int i = thread(); i < kTapsAhead * kTileRows; i += kTileThreads) {
        const int m = i % kTileRows, t = tap + i / kTileRows;
        if (m < rows_ && t < p_.taps)
          at_.points()[i] = SamplingPoint<T>(p_, {n_, (first_ + m) / p_.Q, (first_ + m) % p_.Q},
                                             slice.offset_group, t);
      }
    }
    tap_ = tap;
    Tile sums;
    for (int k = 0; k < p_.filters; k += kDepth) {
      const std::int64_t filter = slice.group * p_.filters + k;
      TileCopy<Tile, kDepth, kColumns, T> weights;
      weights.fetch({p_.in.w + filter * p_.columns() + tap * p_.channels + slice.column,
                     p_.columns(), p_.filters - k, slice.count});
      if (!same_tile || p_.filters > kDepth) {
        TileCopy<Tile, kTileRows, kDepth, T> gradients;
        gradients.fetch(
            {dz_ + (n_ * p_.outputs + first_) * p_.g.K + filter, p_.g.K, rows_, p_.filters - k});
        gradients.store(at_.gradients().memory, Memory::Gradients::kStride);
      }
      weights.store(at_.weights().memory, Memory::Weights::kStride);
      __syncthreads();
      sums.add_product(at_.gradients(), at_.weights());
      if (k + kDepth < p_.filters) __syncthreads();
    }
    sums.store(at_.ds(), Memory::kStride);
    __syncthreads();
  }

  __device__ const SamplingPoint<T>& point(int m) const {
    return at_.points()[(tap_ - point_tap_) * kTileRows + m];
  }

  // d_offset and d_mask of the points: some lanes each, `size` channels a lane.
  __device__ void write_points(const PointGradients<Real>& out) {
    if (!out.wanted()) return;
    constexpr int kLanesOfPoint = kColumns / size;
    const Slice& slice = chosen_.slice;
    const T* image = p_.in.x + n_ * image_ * p_.g.C;
    const int c = thread() % kLanesOfPoint * size;
    for (int m = thread() / kLanesOfPoint; m < kTileRows; m += kTileThreads / kLanesOfPoint) {
      PointSums<Real> sums;
      if (m < rows_ && c < slice.count) {
        Pack<Real, size> of_point;
        for (int j = 0; j < size; ++j) of_point.value[j] = at_.ds()[m * Memory::kStride + c + j];
        sums.template add<size>(p_, point(m), image, slice.channel + c, of_point);
      }
      for (int distance = kLanesOfPoint / 2; distance > 0; distance /= 2) {
        sums.first += __shfl_xor_sync(0xffffffffu, sums.first, distance);
        sums.left += __shfl_xor_sync(0xffffffffu, sums.left, distance);
        sums.right += __shfl_xor_sync(0xffffffffu, sums.right, distance);
        sums.top += __shfl_xor_sync(0xffffffffu, sums.top, distance);
      }
      if (m >= rows_ || c != 0) continue;
      const std::int64_t output = n_ * p_.outputs + first_ + m;
      const std::int64_t j = (output * p_.offset_groups + slice.offset_group) * p_.taps + tap_;
      sums.write(out, chosen_.index * out.distance + j, point(m));
    }
  }

  // Adds what the points send to the pixels of the band. Each pixel has an owner, some lanes that
  // take a few channels each. The 4 * 64 corners are sorted by owner, in their order, a thread
  // each; then every owner goes through its list, which lies where the weights were.
  __device__ void scatter() {
    DRAPE_SHARED(int, counts, [kWarps * kLanes]);  // of each warp's corners, by owner
    static_assert(4 * kTileRows == kTileThreads && kOwners <= kLanes);
    static_assert(sizeof(Sent) * kTileThreads <= sizeof(T) * Memory::Weights::kSize);
    Sent* const list = reinterpret_cast<Sent*>(at_.weights().memory);
    std::int32_t pixel = -1;
    if (thread() / 4 < rows_) pixel = point(thread() / 4).corner[thread() % 4];
    const bool inside = pixel >= begin_ && pixel < end_;
    const int owner = pixel & (kOwners - 1);
    unsigned same = __ballot_sync(0xffffffffu, inside), of_lane = same;  // whose owner is `lane`
    for (int bit = 1; bit < kOwners; bit *= 2) {
      const unsigned set = __ballot_sync(0xffffffffu, (owner & bit) != 0);
      same &= (owner & bit) != 0 ? set : ~set;
      of_lane &= (lane() & bit) != 0 ? set : ~set;
    }
    counts[thread()] = lane() < kOwners ? __popc(of_lane) : 0;
    __syncthreads();
    int before = 0, count = 0;  // of owner `lane`: in the warps before this one, and in all
    for (int w = 0; w < kWarps; ++w) {
      before += w < warp() ? counts[w * kLanes + lane()] : 0;
      count += counts[w * kLanes + lane()];
    }
    int end = count;  // of the owner's part of the list
    for (int distance = 1; distance < kLanes; distance *= 2) {
      const int other = __shfl_up_sync(0xffffffffu, end, distance);
      if (lane() >= distance) end += other;
    }
    const int begin = end - count;
    const int place = __shfl_sync(0xffffffffu, begin + before, owner);
    if (inside)
      list[place + __popc(same & ((1u << lane()) - 1))] = {
          static_cast<std::uint16_t>(thread() / 4), static_cast<std::uint16_t>(pixel - begin_),
          point(thread() / 4).weight[thread() % 4]};
    const int mine = thread() / kAcross, c = thread() % kAcross * kVector<Real>;
    const int first = __shfl_sync(0xffffffffu, begin, mine);
    const int last = __shfl_sync(0xffffffffu, end, mine);
    __syncthreads();
    Sent next = first < last ? list[first] : Sent{};
    for (int i = first; i < last; ++i) {
      const Sent sent = next;
      if (i + 1 < last) next = list[i + 1];  // while this one's sum is on its way
      Real* const to = at_.band() + sent.pixel * kLanes + c;
      const auto ds = load<kVector<Real>>(at_.ds() + sent.point * Memory::kStride + c);
      auto sum = load<kVector<Real>>(to);
      for (int j = 0; j < kVector<Real>; ++j) sum.value[j] += sent.weight * ds.value[j];
      store(to, sum);
    }
  }

  // dx from the bands of all parts.
  __device__ void write_band(const Parts<Real>& parts, int part, T* dx) {
    constexpr int kSize = kVector<Real>;
    using Values = Pack<Real, kSize>;
    const Slice& slice = chosen_.slice;
    const int packs = (end_ - begin_) * kAcross;
    const auto write = [&](int i, const Values& values) {
      const int c = i % kAcross * kSize;
      const std::int64_t pixel = n_ * image_ + begin_ + i / kAcross;
      for (int j = 0; j < kSize; ++j) {
        if (c + j < slice.count)
          dx[pixel * p_.g.C + slice.channel + c + j] = static_cast<T>(values.value[j]);
      }
    };
    __syncthreads();
    if (parts.count == 1) {
      for (int i = thread(); i < packs; i += kTileThreads)
        write(i, load<kSize>(at_.band() + i * kSize));
      return;
    }
    const unsigned bands = gridDim.x / static_cast<unsigned>(parts.count);  // of a slice
    const unsigned band = blockIdx.y * bands + blockIdx.x / static_cast<unsigned>(parts.count);
    const auto published = [&](int of_part, int i) {
      const std::int64_t number = std::int64_t{band} * parts.count + of_part;
      return reinterpret_cast<Values*>(parts.partial) + number * parts.pixels * kAcross + i;
    };
    for (int i = thread(); i < packs; i += kTileThreads)
      publish(published(part, i), load<kSize>(at_.band() + i * kSize));
    if (!is_last_block(parts.arrived + band, static_cast<unsigned>(parts.count))) return;
    for (int i = thread(); i < packs; i += kTileThreads) {
      Values sum{};
      for (int other = 0; other < parts.count; ++other) {
        const Values values = collect(published(other, i));
        for (int j = 0; j < kSize; ++j) sum.value[j] += values.value[j];
      }
      write(i, sum);
    }
  }

  __device__ static int thread() { return static_cast<int>(threadIdx.x); }
  __device__ static int lane() { return thread() % kLanes; }
  __device__ static int warp() { return thread() / kLanes; }

  const Problem<T>& p_;
  const T* dz_;
  int tiles_;
  Memory at_;
  ChannelSlice chosen_;
  std::int64_t n_ = 0;
  int image_ = 0, begin_ = 0, end_ = 0;  // pixels of the image, and of the band
  int first_tap_ = 0;
  int tile_ = -1, first_ = 0, rows_ = 0, tap_ = 0, point_tap_ = 0;  // what work() made
};

// As many blocks on a multiprocessor as registers allow.
template <int size, class Tile, class T>
inline constexpr int kPointBlocks = sizeof(T) > 4 || size == 1 ? 1
                                    : Tile::kTensorCores       ? 3
                                                               : 2;

template <int size, class Tile, class T>
__global__ void __launch_bounds__(kTileThreads, DRAPE_BLOCKS(kPointBlocks<size, Tile, T>))
    points_kernel(Problem<T> p, const T* dz, int tiles, Bands bands, Parts<Accumulator<T>> parts,
                  const Extent* extents, PointGradients<Accumulator<T>> out, T* dx) {
  DRAPE_DYNAMIC_SHARED(unsigned char, memory);
  PointBackward<size, Tile, T>(p, dz, tiles, {memory}).run(bands, parts, extents, out, dx);
}

}  // namespace drape::kernels
