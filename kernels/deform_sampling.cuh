// How CUDA samples for deformable convolution: where a tap of an output pixel lies in the image,
// and tiles of sampled patches in shared memory.
#pragma once

#include "kernels/bilinear.h"
#include "kernels/deform_conv2d.h"
#include "kernels/pack.cuh"
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

/// What the kernels know of a convolution; 32 bits where they suffice. Error if a batch has more
/// pixels than they count.
template <class T>
struct Problem {
  Conv2dGeometry g;
  DeformConv2dInputs<T> in;
  int H, W, Q, S;
  int stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
  int taps, offset_groups;
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
        H(static_cast<int>(g.H)),
        W(static_cast<int>(g.W)),
        Q(static_cast<int>(g.Q)),
        S(static_cast<int>(g.S)),
        stride_y(static_cast<int>(g.stride.y)),
        stride_x(static_cast<int>(g.stride.x)),
        padding_y(static_cast<int>(g.padding.y)),
        padding_x(static_cast<int>(g.padding.x)),
        dilation_y(static_cast<int>(g.dilation.y)),
        dilation_x(static_cast<int>(g.dilation.x)),
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

  /// The output pixel of a row, counted through the batch.
  __device__ std::int64_t pixel(std::int64_t row) const {
    if (order == Rows::pixels) return row;
    const std::int64_t P = g.P / 2, Q = g.Q / 2, window = row / 4;
    const std::int64_t window_row = window / Q, q = (window - window_row * Q) * 2 + row % 2;
    const std::int64_t n = window_row / P, p = (window_row - n * P) * 2 + row / 2 % 2;
    return (n * g.P + p) * g.Q + q;
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
  __device__ std::int64_t point(std::int64_t pixel, int offset_group, int tap) const {
    return (pixel * offset_groups + offset_group) * taps + tap;
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
  /// Of output pixel `output` of image n.
  __device__ SamplingPoint(const Problem<T>& p, std::int64_t n, std::int32_t output,
                           int offset_group, int tap) {
    const std::int64_t j = p.point(n * p.outputs + output, offset_group, tap);
    const int out_y = output / p.Q, out_x = output - out_y * p.Q, r = tap / p.S, s = tap - r * p.S;
    const auto y = static_cast<Real>(out_y * p.stride_y - p.padding_y + r * p.dilation_y);
    const auto x = static_cast<Real>(out_x * p.stride_x - p.padding_x + s * p.dilation_x);
    const BilinearPoint<Real> at =
        bilinear_point(y + p.in.offset[2 * j], x + p.in.offset[2 * j + 1], p.H, p.W);
    mask = p.in.mask == nullptr ? Real(1) : p.in.mask[j];
    fy = at.fy;
    fx = at.fx;
    for (int i = 0; i < 4; ++i) {
      corner[i] = at.pixel[i] == p.H * p.W ? -1 : at.pixel[i];
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
  /// Of an output pixel, counted through the batch.
  __device__ Corners(const Problem<T>& p, std::int64_t output, int offset_group, int tap) {
    const std::int64_t n = output / p.outputs;
    const SamplingPoint<T> point(p, n, static_cast<std::int32_t>(output - n * p.outputs),
                                 offset_group, tap);
    const std::uint32_t image = static_cast<std::uint32_t>(n) * static_cast<std::uint32_t>(p.H * p.W);
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
      for (int j = 0; j < size; ++j)
        sum[j] += weight[i] * static_cast<Real>(of_corner[i].value[j]);
    }
    Pack<T, size> rounded;
    for (int j = 0; j < size; ++j) rounded.value[j] = static_cast<T>(sum[j]);
    return rounded;
  }
};

/// How a tile takes its columns from a weight group's patches, which have taps * channels. by_tap:
/// channels of one tap and one offset group, which share their sampling points. across_taps, for
/// patches with few channels: the next columns, whatever they are, of at most kSets sets.
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
  } else {  // before the first column of the next kSets sets
    const int set = (slice.set / kSets + 1) * kSets, of_tap = set % sets;
    const int offset_group = slice.first_offset_group + of_tap;
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

/// Samples tiles of `rows` patches, `size` channels at a time. It works out the sampling points of
/// `rows_ahead` rows and `sets_ahead` sets at once.
template <Columns way, int size, int rows, int rows_ahead, int sets_ahead, class Tile, class T>
class Sampler {
 public:
  static constexpr int kPoints = rows_ahead * sets_ahead;

  /// `points`: shared memory for kPoints. Rows from `end` on are not there.
  __device__ Sampler(const Problem<T>& p, std::int64_t end, Corners<T>* points)
      : p_(p), end_(end), points_(points) {}

  /// tile[m][j] = column j of the slice, sampled for row first + m; zero where there is no such row
  /// or column. Rows are `stride` apart. All threads must call it, have done so with the call
  /// before, and wait before they read the tile.
  __device__ void sample(const Slice& slice, std::int64_t first, T* tile, int stride) {
    if (first < first_ || first + rows > first_ + rows_ahead || slice.group != group_ ||
        slice.set < set_ || slice.set >= set_ + sets_ahead) {
      make_points(slice, first);
    }
    constexpr int kAcross = kColumns / size;
    for (int i = static_cast<int>(threadIdx.x); i < rows * kAcross; i += kTileThreads) {
      const int m = i / kAcross, j = i % kAcross * size;
      Pack<T, size> values{};
      if (first + m < end_ && j < slice.count)
        values = patch(slice, static_cast<int>(first - first_) + m, j);
      store(tile + m * stride + j, prepared<Tile>(values));
    }
  }

 private:
  __device__ void make_points(const Slice& slice, std::int64_t first) {
    first_ = first, group_ = slice.group, set_ = slice.set / sets_ahead * sets_ahead;
    const int sets = p_.sets_of_tap(group_), first_group = p_.first_offset_group(group_);
    for (int i = static_cast<int>(threadIdx.x); i < kPoints; i += kTileThreads) {
      const std::int64_t row = first + i % rows_ahead;
      const int set = set_ + i / rows_ahead, tap = set / sets;
      if (row < end_ && tap < p_.taps)
        points_[i] = Corners<T>(p_, p_.pixel(row), first_group + set - tap * sets, tap);
    }
    __syncthreads();
  }

  __device__ Pack<T, size> patch(const Slice& slice, int m, int j) const {
    int set = slice.set, c = slice.channel + j;
    if constexpr (way == Columns::across_taps) {
      const int column = slice.column + j, tap = column / p_.channels;
      c = slice.group * p_.channels + column - tap * p_.channels;
      set = tap * p_.sets_of_tap(slice.group) + c / p_.channels_of_offset -
            slice.first_offset_group;
    }
    return points_[(set - set_) * rows_ahead + m].template sample<size>(p_, c);
  }

  const Problem<T>& p_;
  std::int64_t end_;
  Corners<T>* points_;
  std::int64_t first_ = -rows_ahead - 1;  // whose points are there
  int group_ = -1, set_ = 0;
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

/// Copies `rows` x `columns` to a tile's factor in shared memory, zero where the part ends; rows there are `stride`
/// apart, on bounds of 16 bytes. All threads must call it.
template <class Tile, int rows, int columns, class T>
__device__ void copy_tile(const Part<T>& from, T* to, int stride) {
  constexpr int kSize = kVector<T>, kAcross = columns / kSize;
  const bool aligned = from.aligned();
  for (int i = static_cast<int>(threadIdx.x); i < rows * kAcross; i += kTileThreads) {
    const int r = i / kAcross, c = i % kAcross * kSize;
    Pack<T, kSize> values{};
    if (r < from.rows) {
      const T* source = from.first + r * from.stride + c;
      if (aligned && c + kSize <= from.columns) {
        values = load<kSize>(source);
      } else {
        for (int j = 0; j < kSize; ++j) {
          if (c + j < from.columns) values.value[j] = source[j];
        }
      }
    }
    store(to + r * stride + c, prepared<Tile>(values));
  }
}

/// Calls f.operator()<Tile>() with the tile that multiplies T on this tag.
template <int columns, class T, class F>
void with_tile(Cuda cuda, F&& f) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    f.template operator()<TensorTile<T, columns>>();
  } else if constexpr (std::is_same_v<T, float>) {
    if (cuda.math == Math::tf32) return f.template operator()<TensorTile<T, columns>>();
    f.template operator()<ScalarTile<T, columns>>();
  } else {
    f.template operator()<ScalarTile<T, columns>>();
  }
}

}  // namespace drape::kernels
