// What CUDA's kernels know of a deformable convolution, and where a tap of an output pixel lies in
// the image.
#pragma once

#include "kernels/bilinear.h"
#include "kernels/ceil_div.h"
#include "kernels/deform_conv2d.h"
#include "kernels/pack.cuh"
#include "kernels/taps.cuh"

namespace drape::kernels {

inline unsigned count_of(std::int64_t items, std::int64_t each) {
  return static_cast<unsigned>(ceil_div(items, each));
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
  std::uint32_t pixel_bytes;  // of a pixel of x
  int channels, filters;      // of a weight group
  int channels_of_offset;     // of an offset group
  std::int64_t outputs;       // P * Q
  std::int64_t pixels;        // N * P * Q
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
        pixel_bytes(static_cast<std::uint32_t>(g.C * sizeof(T))),
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
    if (g.C > std::int64_t{UINT32_MAX / sizeof(T)}) {
      throw Error("deform_conv2d: expected pixels of fewer than 2^32 bytes, got one of " +
                  std::to_string(g.C) + " channels");
    }
    constexpr std::int64_t kMostGroups = 65'535;  // rows of blocks in a grid
    if (g.groups + geometry.offset_groups > kMostGroups) {
      throw Error("deform_conv2d: expected at most 65535 groups and offset groups together, got " +
                  std::to_string(g.groups) + " and " + std::to_string(geometry.offset_groups));
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

  /// Where a channel of a pixel lies, from where that channel of the batch's first pixel does: one
  /// instruction.
  __device__ const T* at(const T* of_first, std::uint32_t pixel) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(of_first);
    return reinterpret_cast<const T*>(bytes + std::uint64_t{pixel} * pixel_bytes);
  }

  /// Length of a row of w: a filter's taps and channels.
  DRAPE_HOST_DEVICE int columns() const { return taps * channels; }

  /// Whether patches are so short that a tile of columns goes across taps.
  bool few_channels() const { return channels <= 4; }

  /// Whether x can be read, channel by channel of one tap, in vectors of the type's full width.
  bool vectors_fit() const {
    return channels % kVector<T> == 0 && channels_of_offset % kVector<T> == 0;
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
    const T* const there = p.at(image + c, static_cast<std::uint32_t>(corner[i]));
    if (corner[i] < 0) return {};
    return load<size>(there);
  }
};

/// As much of a sampling point as sampling takes.
template <class T>
struct alignas(16) Corners {
  using Real = Accumulator<T>;

  std::uint32_t pixel[4] = {kOutside, kOutside, kOutside, kOutside};  // counted through the batch
  Real weight[4] = {};

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

  /// `size` channels of each corner, where those of the batch's first pixel are given; zero
  /// outside.
  template <int size>
  struct Values {
    Pack<T, size> of[4];
  };
  template <int size>
  __device__ Values<size> values(const Problem<T>& p, const T* of_first) const {
    Values<size> values;
    for (int i = 0; i < 4; ++i) {
      const T* const corner = p.at(of_first, pixel[i]);
      values.of[i] = {};
      if (pixel[i] != kOutside) values.of[i] = load<size>(corner);
    }
    return values;
  }

  /// Masked and interpolated. NaN weights make them NaN. (Apart from reading, so that the compiler
  /// keeps the loads in front: in one function with it, registers were spilled.)
  template <int size>
  __device__ Pack<T, size> interpolated(const Values<size>& values) const {
    Real sum[size] = {};
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < size; ++j) sum[j] += weight[i] * static_cast<Real>(values.of[i].value[j]);
    }
    Pack<T, size> rounded;
    for (int j = 0; j < size; ++j) rounded.value[j] = static_cast<T>(sum[j]);
    return rounded;
  }
};

}  // namespace drape::kernels
