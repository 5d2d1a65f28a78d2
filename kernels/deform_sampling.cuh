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

/// What the kernels know of a convolution; 32 bits where they suffice.
template <class T>
struct Problem {
  Conv2dGeometry g;
  DeformConv2dInputs<T> in;
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
        taps(static_cast<int>(geometry.taps())),
        offset_groups(static_cast<int>(geometry.offset_groups)),
        channels(static_cast<int>(g.C / g.groups)),
        filters(static_cast<int>(g.K / g.groups)),
        channels_of_offset(static_cast<int>(g.C / geometry.offset_groups)),
        outputs(g.P * g.Q),
        pixels(g.N * outputs),
        order(order_of_rows),
        rows(order == Rows::pixels ? pixels : g.N * (g.P / 2) * (g.Q / 2) * 4) {}

  /// The output pixel of a row, counted through the batch.
  __device__ std::int64_t pixel(std::int64_t row) const {
    if (order == Rows::pixels) return row;
    const std::int64_t P = g.P / 2, Q = g.Q / 2, window = row / 4;
    const std::int64_t p = window / Q % P * 2 + row / 2 % 2, q = window % Q * 2 + row % 2;
    return (window / Q / P * g.P + p) * g.Q + q;
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
};

/// Where one output pixel samples with one tap: the four corners of x, their bilinear weights times
/// the mask, and what the gradients need. One for all channels of the offset group.
template <class T>
struct SamplingPoint {
  using Real = Accumulator<T>;

  std::int64_t image;      // first pixel of the image, counted through the batch
  std::int32_t corner[4];  // pixels of the image; -1: outside
  Real weight[4];
  Real fy, fx, mask;

  SamplingPoint() = default;
  __device__ SamplingPoint(const Problem<T>& p, std::int64_t pixel, int offset_group, int tap) {
    const auto Q = static_cast<std::int32_t>(p.g.Q), S = static_cast<std::int32_t>(p.g.S);
    const std::int64_t n = pixel / p.outputs, j = p.point(pixel, offset_group, tap);
    const auto output = static_cast<std::int32_t>(pixel - n * p.outputs);
    const std::int64_t out_y = output / Q, out_x = output % Q, r = tap / S, s = tap % S;
    const Real y = static_cast<Real>(out_y * p.g.stride.y - p.g.padding.y + r * p.g.dilation.y);
    const Real x = static_cast<Real>(out_x * p.g.stride.x - p.g.padding.x + s * p.g.dilation.x);
    const auto H = static_cast<std::int32_t>(p.g.H), W = static_cast<std::int32_t>(p.g.W);
    const BilinearPoint<Real> at =
        bilinear_point(y + p.in.offset[2 * j], x + p.in.offset[2 * j + 1], H, W);
    image = n * H * W;
    mask = p.in.mask == nullptr ? Real(1) : p.in.mask[j];
    fy = at.fy;
    fx = at.fx;
    for (int i = 0; i < 4; ++i) {
      corner[i] = at.pixel[i] == H * W ? -1 : at.pixel[i];
      weight[i] = at.weight(i) * mask;
    }
  }

  /// `size` channels of a corner, from channel c on; zero outside the image.
  template <int size>
  __device__ Pack<T, size> values(const Problem<T>& p, int i, int c) const {
    if (corner[i] < 0) return {};
    return load<size>(p.in.x + (image + corner[i]) * p.g.C + c);
  }

  /// The masked, interpolated values of these channels. NaN weights make them NaN.
  template <int size>
  __device__ Pack<T, size> sample(const Problem<T>& p, int c) const {
    Real sum[size] = {};
    for (int i = 0; i < 4; ++i) {
      const Pack<T, size> v = values<size>(p, i, c);
      for (int j = 0; j < size; ++j) sum[j] += weight[i] * static_cast<Real>(v.value[j]);
    }
    Pack<T, size> rounded;
    for (int j = 0; j < size; ++j) rounded.value[j] = static_cast<T>(sum[j]);
    return rounded;
  }
};

/// How a tile takes its columns from a weight group's patches, which have taps * channels. by_tap:
/// channels of one tap and one offset group, whose sampling points the block works out once and
/// shares. across_taps, for patches with few channels: the next kColumns, whatever they are.
enum class Columns { by_tap, across_taps };

/// At most kColumns columns of the patches of a weight group; the same columns of w.
struct Slice {
  int group, column, count;
  int tap, channel, offset_group;  // of the first column
};

/// The slice that begins at a column, counted through all weight groups; the next one begins
/// `count` further.
template <Columns way, class T>
DRAPE_HOST_DEVICE Slice slice_at(const Problem<T>& p, int position) {
  Slice slice{position / p.columns(), position % p.columns(), 0, 0, 0, 0};
  slice.tap = slice.column / p.channels;
  slice.channel = slice.group * p.channels + slice.column % p.channels;
  slice.offset_group = slice.channel / p.channels_of_offset;
  slice.count = std::min(int{kColumns}, p.columns() - slice.column);
  if (way == Columns::by_tap) {
    const int of_tap = (slice.group + 1) * p.channels - slice.channel;
    const int of_offset = (slice.offset_group + 1) * p.channels_of_offset - slice.channel;
    slice.count = std::min(slice.count, std::min(of_tap, of_offset));
  }
  return slice;
}

/// Samples tiles of `pixels` patches, `size` channels at a time.
template <Columns way, int size, int pixels, class T>
class Sampler {
 public:
  /// `points`: shared memory for as many as there are pixels, unused across taps.
  __device__ Sampler(const Problem<T>& p, SamplingPoint<T>* points) : p_(p), points_(points) {}

  /// tile[m][j] = column j of the slice, sampled for row first + m; zero beyond `end` and beyond
  /// the slice. Rows are `stride` apart. All threads must call it, and wait before they read.
  __device__ void sample(const Slice& slice, std::int64_t first, std::int64_t end, T* tile,
                         int stride) {
    if constexpr (way == Columns::by_tap) make_points(slice, first, end);
    constexpr int kAcross = kColumns / size;
    for (int i = static_cast<int>(threadIdx.x); i < pixels * kAcross; i += kTileThreads) {
      const int m = i / kAcross, j = i % kAcross * size;
      Pack<T, size> values{};
      if (first + m < end && j < slice.count) values = patch(slice, first, m, j);
      *reinterpret_cast<Pack<T, size>*>(tile + m * stride + j) = values;
    }
  }

 private:
  __device__ void make_points(const Slice& slice, std::int64_t first, std::int64_t end) {
    if (first == first_ && slice.tap == tap_ && slice.offset_group == offset_group_) return;
    const int m = static_cast<int>(threadIdx.x);
    if (m < pixels && first + m < end)
      points_[m] = SamplingPoint<T>(p_, p_.pixel(first + m), slice.offset_group, slice.tap);
    __syncthreads();
    first_ = first, tap_ = slice.tap, offset_group_ = slice.offset_group;
  }

  __device__ Pack<T, size> patch(const Slice& slice, std::int64_t first, int m, int j) const {
    if constexpr (way == Columns::by_tap) {
      return points_[m].template sample<size>(p_, slice.channel + j);
    } else {
      const int column = slice.column + j, tap = column / p_.channels;
      const int c = slice.group * p_.channels + column % p_.channels;
      return SamplingPoint<T>(p_, p_.pixel(first + m), c / p_.channels_of_offset, tap)
          .template sample<size>(p_, c);
    }
  }

  const Problem<T>& p_;
  SamplingPoint<T>* points_;
  std::int64_t first_ = -1;  // whose points are there
  int tap_ = -1, offset_group_ = -1;
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

/// Copies `rows` x `columns` to shared memory, zero where the part ends; rows there are `stride`
/// apart, on bounds of 16 bytes. All threads must call it.
template <int rows, int columns, class T>
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
    *reinterpret_cast<Pack<T, kSize>*>(to + r * stride + c) = values;
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
