#include "data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"

namespace drape {
namespace {

using kernels::Augmentation;

constexpr double kSmallest = 0.02, kLargest = 0.33, kTallest = 3.3, kFlattest = 0.3;
constexpr std::uint64_t kTries = 10, kNumbersOfImage = 64;  // that one takes, at most

// The numbers of one image, one after the other.
class Numbers {
 public:
  Numbers(RandomStream stream, std::int64_t image)
      : stream_(stream), next_(static_cast<std::uint64_t>(image) * kNumbersOfImage) {}

  double uniform() { return stream_.uniform(next_++); }  // in [0, 1)
  std::int16_t whole(std::int64_t low, std::int64_t high) {
    return static_cast<std::int16_t>(
        low + static_cast<std::int64_t>(uniform() * static_cast<double>(high - low + 1)));
  }

 private:
  RandomStream stream_;
  std::uint64_t next_;
};

void draw_rectangle(Numbers& numbers, std::int64_t height, std::int64_t width, Augmentation& to) {
  const double pixels = static_cast<double>(height * width);
  for (std::uint64_t i = 0; i < kTries; ++i) {
    const double area = pixels * (kSmallest + (kLargest - kSmallest) * numbers.uniform());
    const double ratio = kFlattest * std::pow(kTallest / kFlattest, numbers.uniform());
    const std::int64_t h = std::llround(std::sqrt(area * ratio));
    const std::int64_t w = std::llround(std::sqrt(area / ratio));
    const double below = numbers.uniform(), beside = numbers.uniform();
    if (h >= height || w >= width) continue;
    to.top = static_cast<std::int16_t>(below * static_cast<double>(height - h + 1));
    to.left = static_cast<std::int16_t>(beside * static_cast<double>(width - w + 1));
    to.bottom = static_cast<std::int16_t>(to.top + h);
    to.end = static_cast<std::int16_t>(to.left + w);
    return;
  }
}

}  // namespace

void validate(const AugmentationOptions& options) {
  DRAPE_CHECK(options.shift >= 0, "augmentation: expected a shift >= 0, got {}", options.shift);
  DRAPE_CHECK(options.erase >= 0.0 && options.erase <= 1.0,
              "augmentation: expected a probability of erasing in [0, 1], got {}", options.erase);
}

std::vector<Augmentation> draw_augmentations(const AugmentationOptions& options, Generator& random,
                                             std::int64_t count, std::int64_t height,
                                             std::int64_t width) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int16_t>::max();
  validate(options);
  DRAPE_CHECK(height >= 1 && height <= kMost && width >= 1 && width <= kMost,
              "augmentation: expected images of 1 ... {} pixels a side, got {} x {}", kMost, height,
              width);
  DRAPE_CHECK(options.shift < std::min(height, width),
              "augmentation: expected a shift of less than the image, {} x {}, got {}", height,
              width, options.shift);
  const RandomStream stream = random.next();
  std::vector<Augmentation> drawn(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    Augmentation& augmentation = drawn[static_cast<std::size_t>(i)];
    Numbers numbers(stream, i);
    augmentation.mirrored = numbers.uniform() < 0.5 && options.mirroring == Mirroring::half;
    augmentation.down = numbers.whole(-options.shift, options.shift);
    augmentation.right = numbers.whole(-options.shift, options.shift);
    if (numbers.uniform() < options.erase) draw_rectangle(numbers, height, width, augmentation);
  }
  return drawn;
}

}  // namespace drape
