#include "data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include "core/check.h"
#include "core/random.h"
#include "data/garments.h"
#include "kernels/parallel.h"

namespace drape {
namespace {

constexpr std::size_t kPixels = kImageSide * kImageSide;
constexpr float kPi = std::numbers::pi_v<float>;

using Canvas = std::array<float, kPixels>;

// How the garment lies in the image: an affine map from its square to pixels.
class Pose {
 public:
  explicit Pose(Draws& draws) {
    const float angle = draws.uniform(-0.2f, 0.2f), shear = draws.uniform(-0.15f, 0.15f);
    const float flip = draws.chance(0.5f) ? -1.0f : 1.0f;
    const float scale_x = flip * kHalf * draws.uniform(0.72f, 1.0f);
    const float scale_y = kHalf * draws.uniform(0.72f, 1.0f);
    const float cosine = std::cos(angle), sine = std::sin(angle);
    xx_ = cosine * scale_x;
    xy_ = (cosine * shear - sine) * scale_y;
    yx_ = sine * scale_x;
    yy_ = (sine * shear + cosine) * scale_y;
    x0_ = kHalf + draws.uniform(-1.5f, 1.5f);
    y0_ = kHalf + draws.uniform(-1.5f, 1.5f);
  }

  Point operator()(Point p) const {
    return {xx_ * p.x + xy_ * p.y + x0_, yx_ * p.x + yy_ * p.y + y0_};
  }

 private:
  static constexpr float kHalf = kImageSide / 2.0f;
  float xx_, xy_, yx_, yy_, x0_, y0_;
};

// The cloth: plain, with a gradient, striped or checked.
class Cloth {
 public:
  explicit Cloth(Draws& draws)
      : brightness_(draws.uniform(0.35f, 0.95f)),
        gradient_x_(draws.uniform(-0.25f, 0.25f)),
        gradient_y_(draws.uniform(-0.25f, 0.25f)),
        pattern_(draws.chance(0.5f) ? draws.uniform(0.15f, 0.45f) : 0.0f),
        is_checked_(draws.chance(0.4f)) {
    const float angle = draws.uniform(0, kPi), frequency = 2 * kPi / draws.uniform(3, 9);
    cosine_ = frequency * std::cos(angle);
    sine_ = frequency * std::sin(angle);
  }

  // Brightness at a pixel.
  float operator()(float x, float y) const {
    float weave = std::sin(cosine_ * x + sine_ * y);
    if (is_checked_) weave *= std::sin(cosine_ * y - sine_ * x);
    const float gradient = (gradient_x_ * x + gradient_y_ * y) / kImageSide;
    return brightness_ * (1 + pattern_ * weave) + gradient;
  }

 private:
  float brightness_, gradient_x_, gradient_y_, pattern_;
  bool is_checked_;
  float cosine_, sine_;
};

// Signed distance to a polygon, negative inside: to the nearest edge, the sign by the even-odd
// rule.
float signed_distance(std::span<const Point> outline, Point p) {
  float nearest = std::numeric_limits<float>::max();
  bool inside = false;
  Point a = outline.back();
  for (const Point b : outline) {
    const float ex = b.x - a.x, ey = b.y - a.y, wx = p.x - a.x, wy = p.y - a.y;
    const float squared_length = std::max(ex * ex + ey * ey, 1e-12f);
    const float t = std::clamp((wx * ex + wy * ey) / squared_length, 0.0f, 1.0f);
    const float dx = wx - t * ex, dy = wy - t * ey;
    nearest = std::min(nearest, dx * dx + dy * dy);
    if ((a.y > p.y) != (b.y > p.y) && (wx - wy * ex / ey) < 0) inside = !inside;
    a = b;
  }
  return inside ? -std::sqrt(nearest) : std::sqrt(nearest);
}

// Paints one part; the share of a pixel inside the outline follows from the distance of its centre.
void paint(Canvas& canvas, const Part& part, const Pose& pose, const Cloth& cloth) {
  std::vector<Point> outline;
  for (const Point point : part.outline) outline.push_back(pose(point));
  const auto [left, right] = std::ranges::minmax(outline, {}, &Point::x);
  const auto [top, bottom] = std::ranges::minmax(outline, {}, &Point::y);
  const auto clamp = [](float v) { return std::clamp(static_cast<int>(v), 0, int{kImageSide}); };
  for (int row = clamp(top.y - 1); row < clamp(bottom.y + 2); ++row) {
    for (int column = clamp(left.x - 1); column < clamp(right.x + 2); ++column) {
      const float x = static_cast<float>(column) + 0.5f, y = static_cast<float>(row) + 0.5f;
      const float coverage = std::clamp(0.5f - signed_distance(outline, {x, y}), 0.0f, 1.0f);
      if (coverage == 0) continue;
      float& pixel = canvas[static_cast<std::size_t>(row * kImageSide + column)];
      const float colour = std::clamp(part.shade * cloth(x, y), 0.0f, 1.0f);
      pixel += coverage * (colour - pixel);
    }
  }
}

// Nearly standard normal: the sum of the four bytes of a word, of mean 510 and variance
// 4 * (256^2 - 1) / 12.
float normal(std::uint32_t word) {
  const std::uint32_t sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24);
  return (static_cast<float>(sum) - 510) / 147.8f;
}

void draw_image(int label, RandomStream stream, std::span<std::uint8_t> pixels) {
  Draws draws(stream);
  const Pose pose(draws);
  const Cloth cloth(draws);
  const float grain = draws.uniform(0.01f, 0.12f);
  Canvas canvas = {};
  for (const Part& part : draw_garment(label, draws)) paint(canvas, part, pose, cloth);
  for (std::size_t i = 0; i < kPixels; ++i) {
    const float noisy = canvas[i] + grain * (0.2f + canvas[i]) * normal(draws.word());
    pixels[i] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(noisy, 0.0f, 1.0f)));
  }
}

// `first` is the stream of image 0; training and test images take turns in the streams' ids.
LabelledImages draw_images(RandomStream first, std::int64_t count) {
  DRAPE_CHECK(count >= 1 && count <= std::numeric_limits<std::int32_t>::max(),
              "synthetic_garments: expected 1 to 2^31-1 images, got {}", count);
  LabelledImages images{kImageSide, kImageSide, {}, {}};
  images.pixels.resize(static_cast<std::size_t>(count) * kPixels);
  images.labels.resize(static_cast<std::size_t>(count));
  constexpr std::int64_t kGrain = 64;
  kernels::parallel_ranges(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const int label = static_cast<int>(i % kClasses);
      images.labels[i] = static_cast<std::uint8_t>(label);
      draw_image(label, {first.seed, first.id + 2 * i},
                 std::span(images.pixels).subspan(i * kPixels, kPixels));
    }
  });
  return images;
}

}  // namespace

DataSet synthetic_garments(std::uint64_t seed, std::int64_t train_count, std::int64_t test_count) {
  Generator generator(seed, Purpose::synthetic);
  DataSet data;
  data.train = draw_images(generator.next(), train_count);
  data.test = draw_images(generator.next(), test_count);
  data.synthetic = true;
  return data;
}

}  // namespace drape
