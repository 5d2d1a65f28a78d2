// How the CPU samples for deformable convolution: where every tap of every output pixel lies in the
// image, worked out once and shared by all channels, forward and backward.
#pragma once

#include <algorithm>

#include "kernels/bilinear.h"
#include "kernels/ceil_div.h"
#include "kernels/deform_conv2d.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"

namespace drape::kernels {

// The sampling plan of a tile of output pixels: for point j = (pixel, offset group, tap) the four
// pixels around it, its place between them, and the mask. Arrays per field, so that making the plan
// vectorises over points.
class Plan {
 public:
  explicit Plan(std::int64_t points)
      : points_(points), pixels_(4 * points), weights_(4 * points), fractions_(2 * points) {}

  const std::int32_t* pixel(int corner) const { return pixels_.data() + corner * points_; }
  // Bilinear weight of the corner times the mask.
  const float* weight(int corner) const { return weights_.data() + corner * points_; }
  const float* fy() const { return fractions_.data(); }
  const float* fx() const { return fractions_.data() + points_; }

  // base: positions before the offset, y of every point and then x of every point.
  void make(std::int64_t count, const float* base_y, const float* base_x, const float* offset,
            const float* mask, std::int32_t H, std::int32_t W) {
    std::int32_t *p0 = pixels_.data(), *p1 = p0 + points_, *p2 = p1 + points_, *p3 = p2 + points_;
    float *w0 = weights_.data(), *w1 = w0 + points_, *w2 = w1 + points_, *w3 = w2 + points_;
    float *y = fractions_.data(), *x = y + points_;
#pragma GCC ivdep
    for (std::int64_t j = 0; j < count; ++j) {
      const auto point =
          bilinear_point(base_y[j] + offset[2 * j], base_x[j] + offset[2 * j + 1], H, W);
      p0[j] = point.pixel[0];
      p1[j] = point.pixel[1];
      p2[j] = point.pixel[2];
      p3[j] = point.pixel[3];
      w0[j] = point.weight(0);
      w1[j] = point.weight(1);
      w2[j] = point.weight(2);
      w3[j] = point.weight(3);
      y[j] = point.fy;
      x[j] = point.fx;
    }
    if (mask == nullptr) return;
    for (int corner = 0; corner < 4; ++corner) {
      float* w = weights_.data() + corner * points_;
      for (std::int64_t j = 0; j < count; ++j) w[j] *= mask[j];
    }
  }

 private:
  std::int64_t points_;
  Buffer<std::int32_t> pixels_;
  Buffer<float> weights_, fractions_;
};

// Sampling for one geometry: sizes, tiles, and the positions that all images share.
class Sampler {
 public:
  explicit Sampler(const DeformConv2dGeometry& geometry)
      : g(geometry.conv),
        taps(geometry.taps()),
        points(geometry.points()),
        channels(g.C / g.groups),
        filters(g.K / g.groups),
        width(taps * channels),
        offset_channels_(g.C / geometry.offset_groups),
        base_(2 * g.P * g.Q * points) {
    float *base_y = base_.data(), *base_x = base_y + g.P * g.Q * points;
    for (std::int64_t j = 0; j < g.P * g.Q * points; ++j) {
      const std::int64_t m = j / points, r = j % taps / g.S, s = j % g.S;
      base_y[j] = static_cast<float>(m / g.Q * g.stride.y - g.padding.y + r * g.dilation.y);
      base_x[j] = static_cast<float>(m % g.Q * g.stride.x - g.padding.x + s * g.dilation.x);
    }
  }

  // Pixels of a tile whose sampled patches stay in the second-level cache.
  std::int64_t tile() const {
    constexpr std::int64_t kElements = 1 << 16;
    return std::clamp<std::int64_t>(kElements / std::max(width, points), 1, g.P * g.Q);
  }
  std::int64_t tiles() const { return ceil_div(g.P * g.Q, tile()); }
  Range pixels(std::int64_t index) const {
    return {index * tile(), std::min((index + 1) * tile(), g.P * g.Q)};
  }

  void make_plan(std::int64_t n, Range pixels, const float* offset, const float* mask,
                 Plan& plan) const {
    const std::int64_t in_image = pixels.begin * points, first = n * g.P * g.Q * points + in_image;
    const float *base_y = base_.data() + in_image, *base_x = base_y + g.P * g.Q * points;
    plan.make(pixels.size() * points, base_y, base_x, offset + 2 * first,
              mask == nullptr ? nullptr : mask + first, static_cast<std::int32_t>(g.H),
              static_cast<std::int32_t>(g.W));
  }

  // Calls body(j, element of the matrix, first channel, channels) for every point of the tile and
  // every run of a weight group's channels that share its offsets. Matrix rows are pixels, columns
  // (r, s, c) within the group.
  template <class Body>
  void each_run(std::int64_t rows, std::int64_t group, Body&& body) const {
    const std::int64_t begin = group * channels, end = begin + channels;
    for (std::int64_t m = 0; m < rows; ++m) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t c = begin; c < end;) {
          const std::int64_t offset_group = c / offset_channels_;
          const std::int64_t run = std::min(end, (offset_group + 1) * offset_channels_) - c;
          body(m * points + offset_group * taps + tap, m * width + tap * channels + c - begin, c,
               run);
          c += run;
        }
      }
    }
  }

  const Conv2dGeometry& g;
  const std::int64_t taps, points, channels, filters, width;

 private:
  std::int64_t offset_channels_;
  Buffer<float> base_;  // y of every point of an image, then x of every point
};

}  // namespace drape::kernels
