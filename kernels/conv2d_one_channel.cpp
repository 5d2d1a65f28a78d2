#include "kernels/conv2d_one_channel.h"

#include <algorithm>
#include <array>

#include "kernels/ceil_div.h"
#include "kernels/float8.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/partials.h"
#include "kernels/window_max.h"

namespace drape::kernels {
namespace {

// Filters are taken 16 at a time: two vectors, to which pixels are broadcast. Forward takes four
// pixels at once, backward five taps: enough sums for the adders, few enough for the registers.
constexpr std::int64_t kLanes = 16, kTaps = 5;
constexpr std::size_t kPixels = 4;

struct Lanes {
  Float8 low{}, high{};

  static Lanes load(const float* from) { return {load8(from), load8(from + 8)}; }
  void store(float* to) const { store8(low, to), store8(high, to + 8); }
  // The first `count` lanes alone.
  void store(float* to, std::int64_t count) const {
    if (count == kLanes) return store(to);
    std::array<float, kLanes> all;
    store(all.data());
    std::copy_n(all.data(), count, to);
  }
  // *this += value * factor, lane by lane.
  void add_product(float value, const Lanes& factor) {
    low += value * factor.low, high += value * factor.high;
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
  const float* at(std::int64_t p, std::int64_t q) const {
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

// A layer's filters in blocks of kLanes. Behind the last filter, lanes are zero and not stored.
struct Blocks {
  explicit Blocks(const Conv2dGeometry& g)
      : filters(g.K), taps(g.R * g.S), count(ceil_div(g.K, kLanes)) {}
  std::int64_t lanes(std::int64_t block) const {
    return std::min(kLanes, filters - block * kLanes);
  }
  std::int64_t filters, taps, count;
};

// w [K, taps] as [blocks, taps, kLanes].
void interleave(const Blocks& blocks, const float* w, float* interleaved) {
  std::fill_n(interleaved, blocks.count * blocks.taps * kLanes, 0.0f);
  for (std::int64_t k = 0; k < blocks.filters; ++k) {
    float* lane = interleaved + k / kLanes * blocks.taps * kLanes + k % kLanes;
    for (std::int64_t t = 0; t < blocks.taps; ++t) lane[t * kLanes] = w[k * blocks.taps + t];
  }
}

// z = bias + sum over taps of the pixel under the tap times the weights of 16 filters.
std::array<Lanes, kPixels> filter_pixels(const std::array<const float*, kPixels>& pixels,
                                         const std::int64_t* distance, std::int64_t taps,
                                         const float* weights, const float* bias) {
  std::array<Lanes, kPixels> z;
  z.fill(Lanes::load(bias));
  for (std::int64_t t = 0; t < taps; ++t, weights += kLanes) {
    const Lanes w = Lanes::load(weights);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kPixels; ++i) z[i].add_product(pixels[i][distance[t]], w);
  }
  return z;
}

// dw[t] += sum over `count` pixels of the pixel under tap t times dz[pixel], for 16 filters.
void add_taps(std::int64_t count, std::int64_t stride, const float* pixel,
              const std::int64_t* distance, const float* dz, float* dw) {
  std::array<Lanes, kTaps> sums;
  for (std::size_t t = 0; t < kTaps; ++t) sums[t] = Lanes::load(dw + t * kLanes);
  for (std::int64_t q = 0; q < count; ++q, pixel += stride, dz += kLanes) {
    const Lanes d = Lanes::load(dz);
#pragma GCC unroll 5
    for (std::size_t t = 0; t < kTaps; ++t) sums[t].add_product(pixel[distance[t]], d);
  }
  for (std::size_t t = 0; t < kTaps; ++t) sums[t].store(dw + t * kLanes);
}

// What all images of a forward call share.
struct Layer {
  Layer(const Conv2dGeometry& g, const float* w, const float* b)
      : blocks(g), weights(blocks.count * blocks.taps * kLanes), bias(blocks.count * kLanes) {
    interleave(blocks, w, weights.data());
    std::fill_n(bias.data(), blocks.count * kLanes, 0.0f);
    if (b != nullptr) std::copy_n(b, g.K, bias.data());
  }

  std::array<Lanes, kPixels> filter(const std::array<const float*, kPixels>& pixels,
                                    const std::int64_t* distance, std::int64_t block) const {
    return filter_pixels(pixels, distance, blocks.taps,
                         weights.data() + block * blocks.taps * kLanes,
                         bias.data() + block * kLanes);
  }

  Blocks blocks;
  Buffer<float> weights, bias;
};

// One image's outputs, four pixels of a row at a time; beyond its end the last one again.
void filter_image(const Conv2dGeometry& g, const Layer& layer, const PaddedImage& image,
                  const std::int64_t* distance, const Conv2dOutput<float>& out) {
  float* y = out.y;
  for (std::int64_t p = 0; p < g.P; ++p, y += g.Q * g.K) {
    for (std::int64_t q = 0; q < g.Q; q += kPixels) {
      std::array<const float*, kPixels> pixels;
      for (std::size_t i = 0; i < kPixels; ++i) {
        pixels[i] = image.at(p, std::min(q + static_cast<std::int64_t>(i), g.Q - 1));
      }
      for (std::int64_t block = 0; block < layer.blocks.count; ++block) {
        const auto z = layer.filter(pixels, distance, block);
        for (std::int64_t i = 0; i < std::min<std::int64_t>(kPixels, g.Q - q); ++i) {
          Lanes value = z[static_cast<std::size_t>(i)];
          if (out.activation == Activation::relu) {
            value.low = relu8(value.low);
            value.high = relu8(value.high);
          }
          value.store(y + (q + i) * g.K + block * kLanes, layer.blocks.lanes(block));
        }
      }
    }
  }
}

// One image's outputs by 2x2 windows, the largest of each.
void filter_windows(const Conv2dGeometry& g, const Layer& layer, const PaddedImage& image,
                    const std::int64_t* distance, const Conv2dOutput<float>& out) {
  const bool relu = out.activation == Activation::relu;
  float* y = out.y;
  std::uint8_t* cell = out.cell;
  std::array<float, kLanes> spare_y;
  std::array<std::uint8_t, kLanes> spare_cell;
  for (std::int64_t p = 0; p + 1 < g.P; p += 2) {
    for (std::int64_t q = 0; q + 1 < g.Q; q += 2, y += g.K, cell += g.K) {
      const std::array<const float*, kPixels> pixels{image.at(p, q), image.at(p, q + 1),
                                                     image.at(p + 1, q), image.at(p + 1, q + 1)};
      for (std::int64_t block = 0; block < layer.blocks.count; ++block) {
        const auto z = layer.filter(pixels, distance, block);
        const std::int64_t lanes = layer.blocks.lanes(block), first = block * kLanes;
        float* largest = lanes == kLanes ? y + first : spare_y.data();
        std::uint8_t* cells = lanes == kLanes ? cell + first : spare_cell.data();
        store_window_max({z[0].low, z[1].low, z[2].low, z[3].low}, relu, largest, cells);
        store_window_max({z[0].high, z[1].high, z[2].high, z[3].high}, relu, largest + 8,
                         cells + 8);
        if (lanes == kLanes) continue;
        std::copy_n(spare_y.data(), lanes, y + first);
        std::copy_n(spare_cell.data(), lanes, cell + first);
      }
    }
  }
}

// dz of a row of outputs for the filters of a block: [Q, kLanes].
class GradientRow {
 public:
  GradientRow(const Conv2dGeometry& g, const Conv2dOutput<const float>& out, const float* dy)
      : g_(g), out_(out), dy_(dy), relu_(out.activation == Activation::relu), dz_(g.Q * kLanes) {
    std::fill_n(dz_.data(), g.Q * kLanes, 0.0f);
  }

  const float* load(std::int64_t n, std::int64_t p, std::int64_t filter, std::int64_t lanes) {
    if (out_.cell == nullptr) {
      const std::int64_t row = (n * g_.P + p) * g_.Q;
      for (std::int64_t q = 0; q < g_.Q; ++q) {
        load_output((row + q) * g_.K + filter, lanes, dz_.data() + q * kLanes);
      }
    } else if (p < g_.P / 2 * 2) {
      const std::int64_t row = (n * (g_.P / 2) + p / 2) * (g_.Q / 2);
      for (std::int64_t q = 0; q < g_.Q / 2 * 2; ++q) {
        const auto cell = static_cast<std::uint8_t>(p % 2 * 2 + q % 2);
        load_cell((row + q / 2) * g_.K + filter, cell, lanes, dz_.data() + q * kLanes);
      }
    } else {  // left over
      std::fill_n(dz_.data(), g_.Q * kLanes, 0.0f);
    }
    return dz_.data();
  }

 private:
  void load_output(std::int64_t i, std::int64_t lanes, float* dz) const {
    if (!relu_) return void(std::copy_n(dy_ + i, lanes, dz));
    for (std::int64_t k = 0; k < lanes; ++k) dz[k] = out_.y[i + k] > 0.0f ? dy_[i + k] : 0.0f;
  }
  void load_cell(std::int64_t i, std::uint8_t cell, std::int64_t lanes, float* dz) const {
    if (lanes == kLanes) {
      for (std::int64_t k = 0; k < kLanes; k += 8) {
        store8(load_bytes8(out_.cell + i + k) == cell ? load8(dy_ + i + k) : Float8{}, dz + k);
      }
    } else {
      for (std::int64_t k = 0; k < lanes; ++k) dz[k] = out_.cell[i + k] == cell ? dy_[i + k] : 0.0f;
    }
  }

  const Conv2dGeometry& g_;
  const Conv2dOutput<const float>& out_;
  const float* dy_;
  bool relu_;
  Buffer<float> dz_;
};

// Taps in whole groups of kTaps; what the extra ones sum is dropped.
std::int64_t grouped(std::int64_t taps) {
  return ceil_div(taps, kTaps) * kTaps;
}

// The gradients of some images: sums [blocks, taps + 1, kLanes], the last row of a block db.
void add_gradients(const Conv2dGeometry& g, const float* x, Range images, GradientRow& gradient,
                   float* sums) {
  const Blocks blocks(g);
  const std::int64_t taps = grouped(blocks.taps);
  PaddedImage image(g);
  Buffer<std::int64_t> distance(taps);
  for (std::int64_t t = 0; t < taps; ++t) distance[t] = t < blocks.taps ? image.distance(t) : 0;
  for (std::int64_t n = images.begin; n < images.end; ++n) {
    image.load(x + n * g.H * g.W);
    for (std::int64_t p = 0; p < g.P; ++p) {
      for (std::int64_t block = 0; block < blocks.count; ++block) {
        const float* dz = gradient.load(n, p, block * kLanes, blocks.lanes(block));
        float* sum = sums + block * (taps + 1) * kLanes;
        for (std::int64_t t = 0; t < taps; t += kTaps) {
          add_taps(g.Q, g.stride.x, image.at(p, 0), distance.data() + t, dz, sum + t * kLanes);
        }
        Lanes db = Lanes::load(sum + taps * kLanes);
        for (std::int64_t q = 0; q < g.Q; ++q) db.add_product(1.0f, Lanes::load(dz + q * kLanes));
        db.store(sum + taps * kLanes);
      }
    }
  }
}

}  // namespace

void conv2d_one_channel_forward(const Conv2dGeometry& g, const float* x, const float* w,
                                const float* b, const Conv2dOutput<float>& out) {
  const Layer layer(g, w, b);
  parallel_for(g.N, [&](std::int64_t n) {
    PaddedImage image(g);
    image.load(x + n * g.H * g.W);
    Buffer<std::int64_t> distance(layer.blocks.taps);
    for (std::int64_t t = 0; t < layer.blocks.taps; ++t) distance[t] = image.distance(t);
    const Conv2dOutput<float> to = out.of_image(g, n);
    to.cell == nullptr ? filter_image(g, layer, image, distance.data(), to)
                       : filter_windows(g, layer, image, distance.data(), to);
  });
}

void conv2d_one_channel_backward(const Conv2dGeometry& g, const float* x,
                                 const Conv2dOutput<const float>& out, const float* dy,
                                 const Conv2dGradients<float>& d) {
  const Blocks blocks(g);
  const std::int64_t taps = grouped(blocks.taps), size = blocks.count * (taps + 1) * kLanes;
  Partials<float> partials(g.N, size);
  parallel_for(partials.chunks(), [&](std::int64_t chunk) {
    GradientRow gradient(g, out, dy);
    add_gradients(g, x, part(g.N, partials.chunks(), chunk), gradient, partials.start(chunk));
  });
  Buffer<float> total(size);
  partials.add_up(0, size, total.data());
  for (std::int64_t k = 0; k < g.K; ++k) {
    const float* lane = total.data() + k / kLanes * (taps + 1) * kLanes + k % kLanes;
    for (std::int64_t t = 0; d.dw != nullptr && t < blocks.taps; ++t)
      d.dw[k * blocks.taps + t] = lane[t * kLanes];
    if (d.db != nullptr) d.db[k] = lane[taps * kLanes];
  }
}

}  // namespace drape::kernels
