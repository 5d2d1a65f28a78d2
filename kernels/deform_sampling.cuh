// Tiles of sampled patches of deformable convolution, in shared memory.
#pragma once

#include "kernels/sampling_point.cuh"
#include "kernels/tile_copy.cuh"

namespace drape::kernels {

/// Columns of a tile of patches.
inline constexpr int kColumns = 32;

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

  /// Takes column j of the slice, always of the same weight group, for every row first + m; zero
  /// where there is no such row or column. All threads must call it, and have done so with store()
  /// before.
  __device__ void fetch(const Slice& slice, std::int64_t first) {
    if (set_ahead(slice) >= sets_ahead || row_ahead(first) > rows_ahead - rows)
      make_points(slice, first);
    const Corners<T>* points = points_ + set_ahead(slice) * rows_ahead + row_ahead(first);
    const T* const of_first = p_.in.x + slice.channel + column();
    for (auto& values : values_) values = {};
    if (column() >= slice.count) return;
    for (int i = 0; i < kRows; ++i)
      values_[i] = points[row(i)].interpolated(points[row(i)].template values<size>(p_, of_first));
  }

  /// Writes it to tile[m][j], whose rows are `stride` apart.
  __device__ void store(T* tile, int stride) const {
    for (int i = 0; i < kRows; ++i)
      kernels::store(tile + row(i) * stride + column(), prepared<Tile>(values_[i]));
  }

 private:
  __device__ void make_points(const Slice& slice, std::int64_t first) {
    static_assert(kTileThreads % rows_ahead == 0);
    first_ = static_cast<std::uint32_t>(first), set_ = slice.set / sets_ahead * sets_ahead;
    const int sets = p_.sets_of_tap(slice.group), m = static_cast<int>(threadIdx.x) % rows_ahead;
    const bool there = first + m < end_;
    const OutputPixel output = p_.pixel(there ? first + m : 0);
    for (int i = static_cast<int>(threadIdx.x); i < kPoints; i += kTileThreads) {
      const int set = set_ + i / rows_ahead, tap = set / sets;
      if (tap >= p_.taps) break;
      points_[i] = there ? Corners<T>(p_, output, slice.first_offset_group + set - tap * sets, tap)
                         : Corners<T>();
    }
    __syncthreads();
  }

  static constexpr int kAcross = kColumns / size, kRows = rows / (kTileThreads / kAcross);
  __device__ static int column() { return static_cast<int>(threadIdx.x) % kAcross * size; }
  __device__ static int row(int i) {
    return static_cast<int>(threadIdx.x) / kAcross + i * (kTileThreads / kAcross);
  }

  // How far they are behind the first row and the first set whose points are there.
  __device__ unsigned row_ahead(std::int64_t first) const {
    return static_cast<std::uint32_t>(first) - first_;
  }
  __device__ unsigned set_ahead(const Slice& slice) const {
    return static_cast<unsigned>(slice.set - set_);
  }

  const Problem<T>& p_;
  std::int64_t end_;
  Corners<T>* points_;
  std::uint32_t first_ = 0;  // of 2^32 rows
  int set_ = -sets_ahead;
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
        const T value =
            there ? point.interpolated(point.template values<1>(p_, p_.in.x + from + j)).value[0]
                  : T(0.0f);
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

}  // namespace drape::kernels
