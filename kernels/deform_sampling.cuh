// How CUDA samples for deformable convolution: where a tap of an output pixel lies in the image,
// and tiles of sampled patches in shared memory.
#pragma once

#include "kernels/bilinear.h"
#include "kernels/deform_conv2d.h"
#include "kernels/pack.cuh"
#include "kernels/taps.cuh"
#include "kernels/tensor_tile.cuh"

namespace drape::kernels {

/// Columns of a tile of patches.
inline constexpr int kColumns = 32;

inline unsigned count_of(std::int64_t items, std::int64_t each) {
  return static_cast<unsigned>((items + each - 1) / each);
}

/// The output pixels in the order that tiles take them: as they lie in memory, or 2x2 window by 2x2
/// window, its four one after the other; those of no whole window are left out.
enum class Rows { pixels, windows };

/// Where there is no pixel.
inline constexpr std::uint32_t kOutside = UINT32_MAX;

struct OutputPixel {
  std::int64_t n;
  int y, x;
};

/// What the kernels know of a convolution; 32 bits where they suffice. Error if a batch has more
/// pixels than they count.
template <class T>
struct Problem {
  Conv2dGeometry g;
  DeformConv2dInputs<T> in;
  Taps grid;
  int P, Q, taps, offset_groups;
  int channels, filters;   // of a weight group
  int channels_of_offset;  // of an offset group
  std::int64_t outputs;    // P * Q
  std::int64_t pixels;     // N * P * Q
  Rows order;
  std::int64_t rows;  // in this order

  Problem(const DeformConv2dGeometry& geometry, const DeformConv2dInputs<T>& inputs,
          Rows order_of_rows)
      : g(geometry.conv),
        in(inputs),
        grid(g),
        P(static_cast<int>(g.P)),
        Q(static_cast<int>(g.Q)),
        taps(static_cast<int>(geometry.taps())),
        offset_groups(static_cast<int>(geometry.offset_groups)),
        channels(static_cast<int>(g.C / g.groups)),
        filters(static_cast<int>(g.K / g.groups)),
        channels_of_offset(static_cast<int>(g.C / geometry.offset_groups)),
        outputs(g.P * g.Q),
        pixels(g.N * outputs),
        order(order_of_rows),
        rows(order == Rows::pixels ? pixels : g.N * (g.P / 2) * (g.Q / 2) * 4) {
    if (g.N * g.H * g.W >= std::int64_t{kOutside} || outputs > INT32_MAX) {
      throw Error("deform_conv2d: expected images of fewer than 2^32 pixels in all, got " +
                  std::to_string(g.N) + " of " + std::to_string(g.H) + "x" + std::to_string(g.W));
    }
  }

  /// The output pixel of a row.
  __device__ OutputPixel pixel(std::int64_t row) const {
    if (order == Rows::pixels) {
      const std::int64_t n = row / outputs;
      const auto output = static_cast<int>(row - n * outputs), y = output / Q;
      return {n, y, output - y * Q};
    }
    const int windows = P / 2 * (Q / 2);
    const std::int64_t n = row / 4 / windows;
    const auto window = static_cast<int>(row / 4 - n * windows), y = window / (Q / 2);
    return {n, 2 * y + static_cast<int>(row / 2 % 2),
            2 * (window - y * (Q / 2)) + static_cast<int>(row % 2)};
  }

  /// Length of a row of w: a filter's taps and channels.
  DRAPE_HOST_DEVICE int columns() const { return taps * channels; }

  /// Whether patches are so short that a tile of columns goes across taps.
  bool few_channels() const { return channels <= 4; }

  /// Whether x can be read, channel by channel of one tap, in vectors of the type's full width.
  bool vectors_fit() const {
    return channels % kVector<T> == 0 && channels_of_offset % kVector<T> == 0 &&
           reinterpret_cast<std::uintptr_t>(in.x) % 16 == 0;
  }

  /// The sampling point of an output pixel, an offset group and a tap.
  __device__ std::int64_t point(const OutputPixel& at, int offset_group, int tap) const {
    return ((at.n * outputs + at.y * Q + at.x) * offset_groups + offset_group) * taps + tap;
  }

  // The sampling points that one pixel's patch in a weight group needs are numbered: a set of them
  // for each tap and each offset group that has channels in the group, tap by tap.
  DRAPE_HOST_DEVICE int first_offset_group(int group) const {
    return group * channels / channels_of_offset;
  }
  DRAPE_HOST_DEVICE int sets_of_tap(int group) const {
    return ((group + 1) * channels - 1) / channels_of_offset - first_offset_group(group) + 1;
  }
};

/// Where one output pixel samples with one tap: the four corners of its image, their bilinear
/// weights times the mask, and what the gradients need. One for all channels of the offset group.
template <class T>
struct SamplingPoint {
  using Real = Accumulator<T>;

  std::int32_t corner[4];  // pixels of the image; -1: outside
  Real weight[4];
  Real fy, fx, mask;

  SamplingPoint() = default;
  __device__ SamplingPoint(const Problem<T>& p, const OutputPixel& output, int offset_group,
                           int tap) {
    const std::int64_t j = p.point(output, offset_group, tap);
    const int r = tap / p.grid.S, s = tap - r * p.grid.S;
    const auto y = static_cast<Real>(p.grid.y(output.y, r));
    const auto x = static_cast<Real>(p.grid.x(output.x, s));
    const BilinearPoint<Real> at =
        bilinear_point(y + p.in.offset[2 * j], x + p.in.offset[2 * j + 1], p.grid.H, p.grid.W);
    mask = p.in.mask == nullptr ? Real(1) : p.in.mask[j];
    fy = at.fy;
    fx = at.fx;
    for (int i = 0; i < 4; ++i) {
      corner[i] = at.pixel[i] == p.grid.H * p.grid.W ? -1 : at.pixel[i];
      weight[i] = at.weight(i) * mask;
    }
  }

  /// `size` channels of a corner, from channel c of the image on; zero outside.
  template <int size>
  __device__ Pack<T, size> values(const Problem<T>& p, const T* image, int i, int c) const {
    if (corner[i] < 0) return {};
    return load<size>(image + corner[i] * p.g.C + c);
  }
};

/// As much of a sampling point as sampling takes.
template <class T>
struct alignas(16) Corners {
  using Real = Accumulator<T>;

  std::uint32_t pixel[4];  // counted through the batch, or kOutside
  Real weight[4];

  Corners() = default;
  __device__ Corners(const Problem<T>& p, const OutputPixel& output, int offset_group, int tap) {
    const SamplingPoint<T> point(p, output, offset_group, tap);
    const std::uint32_t image =
        static_cast<std::uint32_t>(output.n) * static_cast<std::uint32_t>(p.grid.H * p.grid.W);
    for (int i = 0; i < 4; ++i) {
      const std::int32_t corner = point.corner[i];
      pixel[i] = corner < 0 ? kOutside : image + static_cast<std::uint32_t>(corner);
      weight[i] = point.weight[i];
    }
  }

  /// The masked, interpolated values of `size` channels, from channel c on. NaN weights make them
  /// NaN.
  template <int size>
  __device__ Pack<T, size> sample(const Problem<T>& p, int c) const {
    Pack<T, size> of_corner[4];
    for (int i = 0; i < 4; ++i) {
      of_corner[i] = {};
      if (pixel[i] != kOutside) of_corner[i] = load<size>(p.in.x + pixel[i] * p.g.C + c);
    }
    Real sum[size] = {};
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < size; ++j) sum[j] += weight[i] * static_cast<Real>(of_corner[i].value[j]);
    }
    Pack<T, size> rounded;
    for (int j = 0; j < size; ++j) rounded.value[j] = static_cast<T>(sum[j]);
    return rounded;
  }
};

/// How a tile takes its columns from a weight group's patches, which have taps * channels. by_tap:
/// channels of one tap and one offset group, which share their sampling points. across_taps, for
/// patches with few channels: those of so many sets of sampling points as fit.
enum class Columns { by_tap, across_taps };
inline constexpr int kSets = 9;

/// At most kColumns columns of the patches of a weight group; the same columns of w.
struct Slice {
  int group, column, count;
  int tap, channel, offset_group, set;  // of the first column
  int first_offset_group;               // of the weight group
};

/// The slice that begins at a column, counted through all weight groups; the next one begins
/// `count` further.
template <Columns way, class T>
DRAPE_HOST_DEVICE Slice slice_at(const Problem<T>& p, int position) {
  Slice slice{position / p.columns(), position % p.columns(), 0, 0, 0, 0, 0, 0};
  const int first_channel = slice.group * p.channels, sets = p.sets_of_tap(slice.group);
  slice.tap = slice.column / p.channels;
  slice.channel = first_channel + slice.column % p.channels;
  slice.offset_group = slice.channel / p.channels_of_offset;
  slice.first_offset_group = p.first_offset_group(slice.group);
  slice.set = slice.tap * sets + slice.offset_group - slice.first_offset_group;
  int end = p.columns();
  if (way == Columns::by_tap) {
    const int of_tap = first_channel + p.channels;
    const int of_offset = (slice.offset_group + 1) * p.channels_of_offset;
    end = slice.column + std::min(of_tap, of_offset) - slice.channel;
  } else {  // whole sets
    const int set = slice.set + kColumns / std::min(p.channels, p.channels_of_offset);
    const int of_tap = set % sets, offset_group = slice.first_offset_group + of_tap;
    const int of_channel = of_tap == 0 ? 0 : offset_group * p.channels_of_offset - first_channel;
    end = std::min(end, set / sets * p.channels + of_channel);
  }
  slice.count = std::min(int{kColumns}, end - slice.column);
  return slice;
}

/// What is to be written to a tile's factor for these elements.
template <class Tile, class T, int size>
__device__ Pack<T, size> prepared(Pack<T, size> pack) {
  for (T& value : pack.value) value = Tile::prepared(value);
  return pack;
}

/// The slice behind one of the same weight group.
template <Columns way, class T>
__device__ Slice slice_after(const Problem<T>& p, Slice slice) {
  if constexpr (way == Columns::across_taps)
    return slice_at<way>(p, slice.group * p.columns() + slice.column + slice.count);
  const int end_of_tap = (slice.group + 1) * p.channels;
  slice.column += slice.count;
  slice.channel += slice.count;
  if (slice.channel == end_of_tap) {
    slice.channel -= p.channels;
    slice.offset_group = slice.first_offset_group;
    ++slice.tap, ++slice.set;
  } else if (slice.channel == (slice.offset_group + 1) * p.channels_of_offset) {
    ++slice.offset_group, ++slice.set;
  }
  const int end = min(end_of_tap, (slice.offset_group + 1) * p.channels_of_offset);
  slice.count = min(int{kColumns}, end - slice.channel);
  return slice;
}

/// Samples tiles of `rows` patches, `size` channels of a tap at a time. It works out the sampling
/// points of `rows_ahead` rows and `sets_ahead` sets at once.
template <int size, int rows, int rows_ahead, int sets_ahead, class Tile, class T>
class TapSampler {
 public:
  static constexpr Columns kWay = Columns::by_tap;
  static constexpr int kPoints = rows_ahead * sets_ahead;

  /// `points`: shared memory for kPoints. Rows from `end` on are not there.
  __device__ TapSampler(const Problem<T>& p, std::int64_t end, Corners<T>* points)
      : p_(p), end_(end), points_(points) {}

  /// Takes column j of the slice for every row first + m; zero where there is no such row or
  /// column. All threads must call it, and have done so with store() before.
  __device__ void fetch(const Slice& slice, std::int64_t first) {
    if (first < first_ || first + rows > first_ + rows_ahead || slice.group != group_ ||
        slice.set < set_ || slice.set >= set_ + sets_ahead) {
      make_points(slice, first);
    }
    const int there =
        column() < slice.count ? static_cast<int>(min(end_ - first, std::int64_t{rows})) : 0;
    const Corners<T>* points =
        points_ + (slice.set - set_) * rows_ahead + static_cast<int>(first - first_);
    for (int i = 0; i < kRows; ++i) {
      values_[i] = {};
      if (row(i) < there)
        values_[i] = points[row(i)].template sample<size>(p_, slice.channel + column());
    }
  }

  /// Writes it to tile[m][j], whose rows are `stride` apart.
  __device__ void store(T* tile, int stride) const {
    for (int i = 0; i < kRows; ++i)
      kernels::store(tile + row(i) * stride + column(), prepared<Tile>(values_[i]));
  }

 private:
  __device__ void make_points(const Slice& slice, std::int64_t first) {
    static_assert(kTileThreads % rows_ahead == 0);
    first_ = first, group_ = slice.group, set_ = slice.set / sets_ahead * sets_ahead;
    const int sets = p_.sets_of_tap(group_), m = static_cast<int>(threadIdx.x) % rows_ahead;
    if (first + m < end_) {
      const OutputPixel output = p_.pixel(first + m);
      for (int i = static_cast<int>(threadIdx.x); i < kPoints; i += kTileThreads) {
        const int set = set_ + i / rows_ahead, tap = set / sets;
        if (tap >= p_.taps) break;
        points_[i] = Corners<T>(p_, output, slice.first_offset_group + set - tap * sets, tap);
      }
    }
    __syncthreads();
  }

  static constexpr int kAcross = kColumns / size, kRows = rows / (kTileThreads / kAcross);
  __device__ static int column() { return static_cast<int>(threadIdx.x) % kAcross * size; }
  __device__ static int row(int i) {
    return static_cast<int>(threadIdx.x) / kAcross + i * (kTileThreads / kAcross);
  }

  const Problem<T>& p_;
  std::int64_t end_;
  Corners<T>* points_;
  std::int64_t first_ = -rows_ahead - 1;  // whose points are there
  int group_ = -1, set_ = 0;
  Pack<T, size> values_[kRows];
};

/// Samples tiles of `rows` patches with few channels: a thread works out a sampling point and takes
/// all that lies there.
template <int rows, class Tile, class T>
class PatchSampler {
 public:
  static constexpr Columns kWay = Columns::across_taps;
  static constexpr int kPoints = 0;

  __device__ PatchSampler(const Problem<T>& p, std::int64_t end, Corners<T>*) : p_(p), end_(end) {}

  /// As TapSampler's.
  __device__ void fetch(const Slice& slice, std::int64_t first) { slice_ = slice, first_ = first; }

  __device__ void store(T* tile, int stride) const {
    const Slice& slice = slice_;
    static_assert(kTileThreads % rows == 0);
    const int m = static_cast<int>(threadIdx.x) % rows, first_channel = slice.group * p_.channels;
    const int sets = p_.sets_of_tap(slice.group);
    const bool there = first_ + m < end_;
    const OutputPixel output = p_.pixel(there ? first_ + m : 0);
    T* const to = tile + m * stride - slice.column;
    const int end = slice.column + slice.count;
    for (int set = slice.set + static_cast<int>(threadIdx.x) / rows;; set += kTileThreads / rows) {
      const int tap = set / sets, offset_group = slice.first_offset_group + set - tap * sets;
      const int from = max(first_channel, offset_group * p_.channels_of_offset);
      const int column = tap * p_.channels + from - first_channel;
      if (column >= end) break;
      const int count =
          min(first_channel + p_.channels, (offset_group + 1) * p_.channels_of_offset) - from;
      Corners<T> point;
      if (there) point = Corners<T>(p_, output, offset_group, tap);
      for (int j = 0; j < count; ++j) {
        const T value = there ? point.template sample<1>(p_, from + j).value[0] : T(0.0f);
        to[column + j] = Tile::prepared(value);
      }
    }
    // The columns behind the last.
    for (int i = static_cast<int>(threadIdx.x) / rows + end; i < slice.column + kColumns;
         i += kTileThreads / rows)
      to[i] = T(0.0f);
  }

 private:
  const Problem<T>& p_;
  std::int64_t end_, first_ = 0;
  Slice slice_{};
};

/// A matrix of global memory, rows `stride` apart, of which a tile takes what is there.
template <class T>
struct Part {
  const T* first;
  std::int64_t stride, rows, columns;

  /// Whether every row begins on bounds of 16 bytes.
  __device__ bool aligned() const {
    return stride % kVector<T> == 0 && reinterpret_cast<std::uintptr_t>(first) % 16 == 0;
  }
};

/// `rows` x `columns` of a part on their way to a tile's factor in shared memory; zero where the
/// part ends. All threads must take part.
template <class Tile, int rows, int columns, class T>
class TileCopy {
 public:
  __device__ void fetch(const Part<T>& from) {
    const int there = static_cast<int>(min(std::int64_t{rows}, from.rows));
    const T* source = from.first + row(0) * from.stride + column();
    if (from.aligned() && column() + kSize <= from.columns) {
      for (int i = 0; i < kRows; ++i) {
        values_[i] = {};
        if (row(i) < there) values_[i] = load<kSize>(source + i * kDown * from.stride);
      }
      return;
    }
    for (int i = 0; i < kRows; ++i) {
      values_[i] = {};
      for (int j = 0; row(i) < there && j < kSize; ++j) {
        if (column() + j < from.columns) values_[i].value[j] = source[i * kDown * from.stride + j];
      }
    }
  }

  /// Rows there are `stride` apart, on bounds of 16 bytes.
  __device__ void store(T* to, int stride) const {
    for (int i = 0; i < kRows; ++i) {
      if (rows % kDown == 0 || row(i) < rows)
        kernels::store(to + row(i) * stride + column(), prepared<Tile>(values_[i]));
    }
  }

 private:
  static constexpr int kSize = kVector<T>, kAcross = columns / kSize;
  static constexpr int kDown = kTileThreads / kAcross, kRows = (rows + kDown - 1) / kDown;
  static_assert(kTileThreads % kAcross == 0);
  __device__ static int column() { return static_cast<int>(threadIdx.x) % kAcross * kSize; }
  __device__ static int row(int i) { return static_cast<int>(threadIdx.x) / kAcross + i * kDown; }

  Pack<T, kSize> values_[kRows];
};

/// Calls f.operator()<Tile>() with the tile that multiplies T on this tag.
template <int columns, class T, class F>
void with_tile(Cuda cuda, F&& f) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    f.template operator()<TensorTile<T, columns>>();
  } else if constexpr (std::is_same_v<T, float>) {
    if (uses_tensor_cores<T>(cuda)) return f.template operator()<TensorTile<T, columns>>();
    f.template operator()<ScalarTile<T, columns>>();
  } else {
    f.template operator()<ScalarTile<T, columns>>();
  }
}

}  // namespace drape::kernels
