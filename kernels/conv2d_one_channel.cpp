#include "kernels/conv2d_one_channel.h"

#include <algorithm>

#include "kernels/epilogue.h"
#include "kernels/float8.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/partials.h"

namespace drape::kernels {
namespace {

// Filters are taken 32 at a time: four vectors, which stay in registers while pixels are broadcast
// to them.
constexpr std::int64_t kLanes = 32;

struct Lanes {
  Float8 a{}, b{}, c{}, d{};

  static Lanes load(const float* from) {
    return {load8(from), load8(from + 8), load8(from + 16), load8(from + 24)};
  }
  void store(float* to) const {
    store8(a, to), store8(b, to + 8), store8(c, to + 16), store8(d, to + 24);
  }
  // *this += value * factor, lane by lane.
  void add_product(float value, const Lanes& factor) {
    const Float8 v = Float8{} + value;
    a += v * factor.a, b += v * factor.b, c += v * factor.c, d += v * factor.d;
  }
};

// An image with its zero padding around it, so that no tap needs a bound check.
class PaddedImage {
 public:
  explicit PaddedImage(const Conv2dGeometry& geometry)
      : g_(geometry), width_(g_.W + 2 * g_.padding.x), pixels_((g_.H + 2 * g_.padding.y) * width_) {
    std::fill_n(pixels_.data(), (g_.H + 2 * g_.padding.y) * width_, 0.0f);
  }

  void load(const float* image) {
    for (std::int64_t h = 0; h < g_.H; ++h) {
      std::copy_n(image + h * g_.W, g_.W,
                  pixels_.data() + (h + g_.padding.y) * width_ + g_.padding.x);
    }
  }
  // The pixel under tap (0, 0) of output (p, q), and how far from it tap t lies.
  const float* at(std::int64_t p, std::int64_t q) {
    return pixels_.data() + p * g_.stride.y * width_ + q * g_.stride.x;
  }
  std::int64_t distance(std::int64_t t) const {
    return t / g_.S * g_.dilation.y * width_ + t % g_.S * g_.dilation.x;
  }

 private:
  const Conv2dGeometry& g_;
  std::int64_t width_;
  Buffer<float> pixels_;
};

// w [K, taps] as [blocks of kLanes filters, taps, kLanes], zero behind the last filter.
void interleave(std::int64_t K, std::int64_t taps, const float* w, float* blocks) {
  for (std::int64_t k = 0; k < (K + kLanes - 1) / kLanes * kLanes; ++k) {
    float* lane = blocks + k / kLanes * taps * kLanes + k % kLanes;
    for (std::int64_t t = 0; t < taps; ++t) lane[t * kLanes] = k < K ? w[k * taps + t] : 0.0f;
  }
}

// A layer's filters in blocks: sizes and what they have in common.
struct Blocks {
  explicit Blocks(const Conv2dGeometry& g) : taps(g.R * g.S), count((g.K + kLanes - 1) / kLanes) {}
  // Filters of block `index` that exist.
  std::int64_t filters(std::int64_t index, std::int64_t K) const {
    return std::min(kLanes, K - index * kLanes);
  }
  std::int64_t taps, count;
};

// z = bias + sum over taps of the pixel under the tap times the weights of 32 filters.
Lanes filter_pixel(const float* pixel, const std::int64_t* distance, std::int64_t taps,
                   const float* weights, const float* bias) {
  Lanes z = Lanes::load(bias);
  for (std::int64_t t = 0; t < taps; ++t) {
    z.add_product(pixel[distance[t]], Lanes::load(weights + t * kLanes));
  }
  return z;
}

// dw[i] += sum over `count` pixels of the pixel under tap i times dz[pixel], for three taps and 32
// filters.
void add_three_taps(std::int64_t count, std::int64_t stride, const float* pixel,
                    const std::int64_t distance[3], const float* dz, float* dw) {
  Lanes sum0 = Lanes::load(dw), sum1 = Lanes::load(dw + kLanes),
        sum2 = Lanes::load(dw + 2 * kLanes);
  for (std::int64_t q = 0; q < count; ++q, pixel += stride, dz += kLanes) {
    const Lanes d = Lanes::load(dz);
    sum0.add_product(pixel[distance[0]], d);
    sum1.add_product(pixel[distance[1]], d);
    sum2.add_product(pixel[distance[2]], d);
  }
  sum0.store(dw), sum1.store(dw + kLanes), sum2.store(dw + 2 * kLanes);
}

// Copies rows of `width` values between arrays of different row lengths.
void copy_rows(std::int64_t rows, std::int64_t width, const float* from, std::int64_t from_stride,
               float* to, std::int64_t to_stride) {
  for (std::int64_t m = 0; m < rows; ++m) {
    std::copy_n(from + m * from_stride, width, to + m * to_stride);
  }
}

}  // namespace

void conv2d_one_channel_forward(const Conv2dGeometry& g, const float* x, const float* w,
                                const float* b, Activation activation, float* y) {
  const Blocks blocks(g);
  Buffer<float> weights(blocks.count * blocks.taps * kLanes), bias(blocks.count * kLanes);
  interleave(g.K, blocks.taps, w, weights.data());
  std::fill_n(bias.data(), blocks.count * kLanes, 0.0f);
  if (b != nullptr) std::copy_n(b, g.K, bias.data());
  parallel_for(g.N, [&](std::int64_t n) {
    PaddedImage image(g);
    image.load(x + n * g.H * g.W);
    Buffer<std::int64_t> distance(blocks.taps);
    for (std::int64_t t = 0; t < blocks.taps; ++t) distance[t] = image.distance(t);
    Buffer<float> row(g.Q * kLanes);
    for (std::int64_t p = 0; p < g.P; ++p) {
      float* out = y + (n * g.P + p) * g.Q * g.K;
      for (std::int64_t block = 0; block < blocks.count; ++block) {
        for (std::int64_t q = 0; q < g.Q; ++q) {
          filter_pixel(image.at(p, q), distance.data(), blocks.taps,
                       weights.data() + block * blocks.taps * kLanes, bias.data() + block * kLanes)
              .store(row.data() + q * kLanes);
        }
        add_bias_activate<float>(g.Q, kLanes, nullptr, activation, row.data(), kLanes);
        copy_rows(g.Q, blocks.filters(block, g.K), row.data(), kLanes, out + block * kLanes, g.K);
      }
    }
  });
}

void conv2d_one_channel_backward(const Conv2dGeometry& g, const float* x, const float* y,
                                 const float* dy, Activation activation, float* dw, float* db) {
  const Blocks blocks(g);
  const std::int64_t taps =
      (blocks.taps + 2) / 3 * 3;  // rounded up; what the extra ones sum is dropped
  const std::int64_t size = blocks.count * (taps + 1) * kLanes;
  Partials<float> partials(g.N, size);
  parallel_for(partials.chunks(), [&](std::int64_t chunk) {
    float* sums = partials.start(chunk);
    PaddedImage image(g);
    Buffer<std::int64_t> distance(taps);
    for (std::int64_t t = 0; t < taps; ++t) distance[t] = t < blocks.taps ? image.distance(t) : 0;
    Buffer<float> row(g.Q * kLanes), masked(g.Q * g.K);
    std::fill_n(row.data(), g.Q * kLanes, 0.0f);
    const Range images = part(g.N, partials.chunks(), chunk);
    for (std::int64_t n = images.begin; n < images.end; ++n) {
      image.load(x + n * g.H * g.W);
      for (std::int64_t p = 0; p < g.P; ++p) {
        const std::int64_t first = (n * g.P + p) * g.Q * g.K;
        const float* dz = dy + first;
        if (activation == Activation::relu) {
          undo_activation(g.Q * g.K, y + first, dz, masked.data());
          dz = masked.data();
        }
        for (std::int64_t block = 0; block < blocks.count; ++block) {
          float* dw_sum = sums + block * (taps + 1) * kLanes;
          copy_rows(g.Q, blocks.filters(block, g.K), dz + block * kLanes, g.K, row.data(), kLanes);
          for (std::int64_t t = 0; t < taps; t += 3) {
            add_three_taps(g.Q, g.stride.x, image.at(p, 0), distance.data() + t, row.data(),
                           dw_sum + t * kLanes);
          }
          add_column_sums(g.Q, kLanes, row.data(), dw_sum + taps * kLanes);
        }
      }
    }
  });
  Buffer<float> total(size);
  partials.add_up(0, size, total.data());
  for (std::int64_t k = 0; k < g.K; ++k) {
    const float* lane = total.data() + k / kLanes * (taps + 1) * kLanes + k % kLanes;
    for (std::int64_t t = 0; dw != nullptr && t < blocks.taps; ++t)
      dw[k * blocks.taps + t] = lane[t * kLanes];
    if (db != nullptr) db[k] = lane[taps * kLanes];
  }
}

}  // namespace drape::kernels
