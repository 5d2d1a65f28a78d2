#include "kernels/deform_conv2d.h"

#include <algorithm>

#include "kernels/bilinear.h"
#include "kernels/deform_sampling.h"
#include "kernels/epilogue.h"
#include "kernels/gemm.h"
#include "kernels/max_pool2d.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/partials.h"

namespace drape::kernels {
namespace {

// The values or gradients of one image, and one pixel more that stands for everything outside it:
// zeros to read, or a sink to write to.
template <class T>
class PaddedImage {
 public:
  PaddedImage(T* pixels, const Conv2dGeometry& g, T* outside)
      : pixels_(pixels), outside_(outside), last_(g.H * g.W), channels_(g.C) {}
  T* at(std::int32_t pixel, std::int64_t channel) const {
    return (pixel == last_ ? outside_ : pixels_ + pixel * channels_) + channel;
  }

 private:
  T *pixels_, *outside_;
  std::int64_t last_, channels_;
};

// matrix = the sampled, masked patches of a tile of `rows` pixels. Vectorises over channels.
void sample_channels(const Sampler& sampler, std::int64_t rows, std::int64_t group, const float* x,
                     const Plan& plan, float* matrix) {
  Buffer<float> zeros(sampler.g.C);
  std::fill_n(zeros.data(), sampler.g.C, 0.0f);
  const PaddedImage<const float> image(x, sampler.g, zeros.data());
  sampler.each_run(
      rows, group,
      [&](std::int64_t j, std::int64_t element, std::int64_t channel, std::int64_t run) {
        const float* __restrict v0 = image.at(plan.pixel(0)[j], channel);
        const float* __restrict v1 = image.at(plan.pixel(1)[j], channel);
        const float* __restrict v2 = image.at(plan.pixel(2)[j], channel);
        const float* __restrict v3 = image.at(plan.pixel(3)[j], channel);
        const float w0 = plan.weight(0)[j], w1 = plan.weight(1)[j], w2 = plan.weight(2)[j],
                    w3 = plan.weight(3)[j];
        float* __restrict out = matrix + element;
#pragma omp simd
        for (std::int64_t c = 0; c < run; ++c) {
          out[c] = w0 * v0[c] + w1 * v1[c] + w2 * v2[c] + w3 * v3[c];
        }
      });
}

// A one-channel image with its outside pixel behind the last: points lie side by side in the
// matrix, so loops vectorise over points.
class FlatImage {
 public:
  FlatImage(const float* x, const Conv2dGeometry& g) : pixels_(g.H * g.W + 1) {
    std::copy_n(x, g.H * g.W, pixels_.data());
    pixels_[g.H * g.W] = 0.0f;
  }
  const float* pixels() const { return pixels_.data(); }

 private:
  Buffer<float> pixels_;
};

void sample_flat(const Sampler& sampler, std::int64_t count, const float* x, const Plan& plan,
                 float* __restrict matrix) {
  const FlatImage image(x, sampler.g);
  const float* v = image.pixels();
  const std::int32_t *p0 = plan.pixel(0), *p1 = plan.pixel(1), *p2 = plan.pixel(2),
                     *p3 = plan.pixel(3);
  const float *w0 = plan.weight(0), *w1 = plan.weight(1), *w2 = plan.weight(2),
              *w3 = plan.weight(3);
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) {
    matrix[j] = w0[j] * v[p0[j]] + w1[j] * v[p1[j]] + w2[j] * v[p2[j]] + w3[j] * v[p3[j]];
  }
}

void sample(const Sampler& sampler, std::int64_t rows, std::int64_t group, const float* x,
            const Plan& plan, float* matrix) {
  if (sampler.g.C == 1) {
    sample_flat(sampler, rows * sampler.taps, x, plan, matrix);
  } else {
    sample_channels(sampler, rows, group, x, plan, matrix);
  }
}

// What scatter() adds to, for one tile: dL/dx of the image, and dL/doffset and dL/dmask of the
// tile. dx may be null.
struct TileGradients {
  float *dx, *d_offset, *d_mask;
};

// The products of a sampling point's gradient ds with the values of its four pixels, summed over a
// run of channels; on the way, adds the weighted ds to the gradients of the four pixels. Pixels
// outside share one array of d, which nobody reads.
struct PointGradient {
  float a = 0, b = 0, c = 0, d = 0;

  PointGradient(std::int64_t run, const float* ds, const float* const v[4], const float w[4],
                float* const dv[4]) {
    const float *v0 = v[0], *v1 = v[1], *v2 = v[2], *v3 = v[3];
    const float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    float *d0 = dv[0], *d1 = dv[1], *d2 = dv[2], *d3 = dv[3];
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (std::int64_t i = 0; i < run; ++i) {
      s0 += ds[i] * v0[i];
      s1 += ds[i] * v1[i];
      s2 += ds[i] * v2[i];
      s3 += ds[i] * v3[i];
      d0[i] += w0 * ds[i];
      d1[i] += w1 * ds[i];
      d2[i] += w2 * ds[i];
      d3[i] += w3 * ds[i];
    }
    a = s0, b = s1, c = s2, d = s3;
  }
};

// From d_matrix = dL/d(sampled patches) of a tile; `mask` is the tile's, or null.
void scatter_channels(const Sampler& sampler, std::int64_t rows, std::int64_t group, const float* x,
                      const float* mask, const Plan& plan, const float* d_matrix,
                      TileGradients out) {
  Buffer<float> zeros(sampler.g.C), sink(sampler.g.C);
  std::fill_n(zeros.data(), sampler.g.C, 0.0f);
  std::fill_n(sink.data(), sampler.g.C, 0.0f);
  const PaddedImage<const float> image(x, sampler.g, zeros.data());
  const PaddedImage<float> d_image(out.dx, sampler.g, sink.data());
  sampler.each_run(
      rows, group,
      [&](std::int64_t j, std::int64_t element, std::int64_t channel, std::int64_t run) {
        const float* v[4];
        float* dv[4];
        float w[4];
        for (int corner = 0; corner < 4; ++corner) {
          const std::int32_t pixel = plan.pixel(corner)[j];
          v[corner] = image.at(pixel, channel);
          dv[corner] = out.dx == nullptr ? sink.data() : d_image.at(pixel, channel);
          w[corner] = plan.weight(corner)[j];
        }
        const PointGradient sum(run, d_matrix + element, v, w, dv);
        const float fy = plan.fy()[j], fx = plan.fx()[j], m = mask == nullptr ? 1.0f : mask[j];
        out.d_offset[2 * j] += m * bilinear_dy(sum.a, sum.b, sum.c, sum.d, fx);
        out.d_offset[2 * j + 1] += m * bilinear_dx(sum.a, sum.b, sum.c, sum.d, fy);
        out.d_mask[j] += bilinear_value(sum.a, sum.b, sum.c, sum.d, fy, fx);
      });
}

void scatter_flat(const Sampler& sampler, std::int64_t count, const float* x, const float* mask,
                  const Plan& plan, const float* ds, TileGradients out) {
  const FlatImage image(x, sampler.g);
  const float *pixels = image.pixels(), *fy = plan.fy(), *fx = plan.fx();
  const std::int32_t *p0 = plan.pixel(0), *p1 = plan.pixel(1), *p2 = plan.pixel(2),
                     *p3 = plan.pixel(3);
  float* __restrict d_offset = out.d_offset, * __restrict d_mask = out.d_mask;
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) {
    const float a = pixels[p0[j]], b = pixels[p1[j]], c = pixels[p2[j]], d = pixels[p3[j]];
    d_offset[2 * j] = ds[j] * bilinear_dy(a, b, c, d, fx[j]);
    d_offset[2 * j + 1] = ds[j] * bilinear_dx(a, b, c, d, fy[j]);
    d_mask[j] = ds[j] * bilinear_value(a, b, c, d, fy[j], fx[j]);
  }
  for (std::int64_t j = 0; mask != nullptr && j < count; ++j) {
    d_offset[2 * j] *= mask[j];
    d_offset[2 * j + 1] *= mask[j];
  }
  if (out.dx == nullptr) return;
  const std::int64_t outside = sampler.g.H * sampler.g.W;
  for (std::int64_t j = 0; j < count; ++j) {
    for (int corner = 0; corner < 4; ++corner) {
      const std::int32_t pixel = plan.pixel(corner)[j];
      if (pixel != outside) out.dx[pixel] += plan.weight(corner)[j] * ds[j];
    }
  }
}

void scatter(const Sampler& sampler, std::int64_t rows, std::int64_t group, const float* x,
             const float* mask, const Plan& plan, const float* d_matrix, TileGradients out) {
  if (sampler.g.C == 1) {
    scatter_flat(sampler, rows * sampler.taps, x, mask, plan, d_matrix, out);
  } else {
    scatter_channels(sampler, rows, group, x, mask, plan, d_matrix, out);
  }
}

// One tile of an image of results.
void forward_tile(const Sampler& sampler, const DeformConv2dInputs<float>& in, std::int64_t n,
                  std::int64_t tile, Activation activation, float* image) {
  const Conv2dGeometry& g = sampler.g;
  const Range pixels = sampler.pixels(tile);
  Plan plan(sampler.tile() * sampler.points);
  Buffer<float> matrix(sampler.tile() * sampler.width);
  sampler.make_plan(n, pixels, in.offset, in.mask, plan);
  float* out = image + pixels.begin * g.K;
  for (std::int64_t group = 0; group < g.groups; ++group) {
    sample(sampler, pixels.size(), group, in.x + n * g.x_image(), plan, matrix.data());
    gemm<float>(pixels.size(), sampler.filters, sampler.width, {matrix.data(), sampler.width},
                {in.w + group * sampler.filters * sampler.width, sampler.width, Use::transposed},
                Output::replace, out + group * sampler.filters, g.K);
  }
  add_bias_activate(pixels.size(), g.K, in.b, activation, out, g.K);
}

// One chunk's part of the backward pass: its images in order, tile by tile.
class BackwardChunk {
 public:
  BackwardChunk(const Sampler& sampler, const DeformConv2dInputs<float>& in,
                const DeformConv2dGradients<float>& d)
      : s_(sampler),
        g_(sampler.g),
        in_(in),
        d_(d),
        plan_(s_.tile() * s_.points),
        matrix_(s_.tile() * s_.width),
        dz_(g_.y_image()),
        d_offset_(2 * s_.tile() * s_.points),
        d_mask_(s_.tile() * s_.points) {}

  void image(std::int64_t n, const Conv2dOutput<const float>& out, const float* dy, float* dw,
             float* db) {
    float* dx = d_.dx == nullptr ? nullptr : d_.dx + n * g_.x_image();
    if (dx != nullptr) std::fill_n(dx, g_.x_image(), 0.0f);
    const float* dz = gradient_of_image(n, out, dy);
    add_column_sums(g_.P * g_.Q, g_.K, dz, db);
    for (std::int64_t index = 0; index < s_.tiles(); ++index) {
      const Range pixels = s_.pixels(index);
      tile(n, pixels, dz + pixels.begin * g_.K, dx, dw);
    }
  }

 private:
  void tile(std::int64_t n, Range pixels, const float* dz, float* dx, float* dw) {
    const float* x = in_.x + n * g_.x_image();
    const std::int64_t count = pixels.size() * s_.points;
    const std::int64_t first = (n * g_.P * g_.Q + pixels.begin) * s_.points;
    const float* mask = in_.mask == nullptr ? nullptr : in_.mask + first;
    const bool sampled = dx != nullptr || d_.d_offset != nullptr || d_.d_mask != nullptr;
    s_.make_plan(n, pixels, in_.offset, in_.mask, plan_);
    std::fill_n(d_offset_.data(), 2 * count, 0.0f);
    std::fill_n(d_mask_.data(), count, 0.0f);
    for (std::int64_t group = 0; group < g_.groups; ++group) {
      const float* dz_group = dz + group * s_.filters;
      const std::int64_t weights = group * s_.filters * s_.width;
      if (d_.dw != nullptr) {
        sample(s_, pixels.size(), group, x, plan_, matrix_.data());
        gemm<float>(s_.filters, s_.width, pixels.size(), {dz_group, g_.K, Use::transposed},
                    {matrix_.data(), s_.width}, Output::add, dw + weights, s_.width);
      }
      if (sampled) {
        gemm<float>(pixels.size(), s_.width, s_.filters, {dz_group, g_.K},
                    {in_.w + weights, s_.width}, Output::replace, matrix_.data(), s_.width);
        scatter(s_, pixels.size(), group, x, mask, plan_, matrix_.data(),
                {dx, d_offset_.data(), d_mask_.data()});
      }
    }
    if (d_.d_offset != nullptr) {
      std::copy_n(d_offset_.data(), 2 * count, d_.d_offset + 2 * first);
    }
    if (d_.d_mask != nullptr) std::copy_n(d_mask_.data(), count, d_.d_mask + first);
  }

  // dL/dz of an image.
  const float* gradient_of_image(std::int64_t n, const Conv2dOutput<const float>& out,
                                 const float* dy) {
    dy += n * out.image(g_);
    if (out.cell == nullptr && out.activation == Activation::none) return dy;
    undo_output(g_.with_images(1), out.of_image(g_, n), dy, dz_.data());
    return dz_.data();
  }

  const Sampler& s_;
  const Conv2dGeometry& g_;
  const DeformConv2dInputs<float>& in_;
  const DeformConv2dGradients<float>& d_;
  Plan plan_;
  Buffer<float> matrix_, dz_, d_offset_, d_mask_;
};

}  // namespace

template <>
void deform_conv2d_forward(Cpu, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<float>& in, const Conv2dOutput<float>& out) {
  const Sampler sampler(geometry);
  const Conv2dGeometry& g = geometry.conv;
  if (out.cell == nullptr) {
    parallel_for(g.N * sampler.tiles(), [&](std::int64_t task) {
      const std::int64_t n = task / sampler.tiles(), tile = task % sampler.tiles();
      forward_tile(sampler, in, n, tile, out.activation, out.y + n * g.y_image());
    });
    return;
  }
  parallel_for(g.N, [&](std::int64_t n) {
    Buffer<float> image(g.y_image());
    for (std::int64_t tile = 0; tile < sampler.tiles(); ++tile) {
      forward_tile(sampler, in, n, tile, out.activation, image.data());
    }
    pool_windows(g.with_images(1), image.data(), out.of_image(g, n));
  });
}

template <>
void deform_conv2d_backward(Cpu, const DeformConv2dGeometry& geometry,
                            const DeformConv2dInputs<float>& in,
                            const Conv2dOutput<const float>& out, const float* dy,
                            const DeformConv2dGradients<float>& d) {
  const Sampler sampler(geometry);
  const Conv2dGeometry& g = geometry.conv;
  Partials<float> partials(g.N, g.w_size() + g.K);
  parallel_for(partials.chunks(), [&](std::int64_t index) {
    float* dw = partials.start(index);
    BackwardChunk chunk(sampler, in, d);
    const Range images = part(g.N, partials.chunks(), index);
    for (std::int64_t n = images.begin; n < images.end; ++n) {
      chunk.image(n, out, dy, dw, dw + g.w_size());
    }
  });
  if (d.dw != nullptr) partials.add_up(0, g.w_size(), d.dw);
  if (d.db != nullptr) partials.add_up(g.w_size(), g.K, d.db);
}

}  // namespace drape::kernels
