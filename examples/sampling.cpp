#include "examples/sampling.h"

#include <algorithm>
#include <utility>

#include "layers/deform_conv2d.h"

namespace drape {
namespace {

constexpr std::int64_t kFilter = 3, kTaps = kFilter * kFilter;

// Tap k of an ordinary convolution around the pixel.
Position regular_tap(Position at, std::int64_t k) {
  return {at.y + static_cast<double>(k / kFilter - 1), at.x + static_cast<double>(k % kFilter - 1)};
}

}  // namespace

std::optional<SamplingGrid> SamplingGrid::of(Sequential& network, const Tensor& image) {
  std::vector<Layer> layers;
  bool fits = true;
  each_deformable(network, image, [&](const std::string&, DeformConv2d& layer, const Tensor& x) {
    const Tensor offsets = layer.offsets(x);
    const std::int64_t side = x.shape()[1];
    fits = fits && offsets.shape() == Shape{1, side, side, 2 * kTaps};
    layers.push_back({side, static_cast<double>(image.shape()[1]) / static_cast<double>(side),
                      offsets.to_vector<float>()});
  });
  if (layers.size() != 2 || !fits) return std::nullopt;
  SamplingGrid grid;
  grid.first_ = std::move(layers[0]);
  grid.second_ = std::move(layers[1]);
  return grid;
}

std::vector<Position> SamplingGrid::Layer::taps(Position at) const {
  const double last = static_cast<double>(side - 1);
  const double y = std::clamp(at.y, 0.0, last), x = std::clamp(at.x, 0.0, last);
  const auto top = static_cast<std::int64_t>(y), left = static_cast<std::int64_t>(x);
  const double down = y - static_cast<double>(top), right = x - static_cast<double>(left);
  const auto offset = [&](std::int64_t row, std::int64_t column, std::int64_t i) -> double {
    row = std::min(row, side - 1);
    column = std::min(column, side - 1);
    return offsets[static_cast<std::size_t>((row * side + column) * 2 * kTaps + i)];
  };
  const auto between = [&](std::int64_t i) {
    return (1 - down) * ((1 - right) * offset(top, left, i) + right * offset(top, left + 1, i)) +
           down * ((1 - right) * offset(top + 1, left, i) + right * offset(top + 1, left + 1, i));
  };
  std::vector<Position> result;
  for (std::int64_t k = 0; k < kTaps; ++k) {
    const Position tap = regular_tap(at, k);
    result.push_back({tap.y + between(2 * k), tap.x + between(2 * k + 1)});
  }
  return result;
}

// Pixel i covers scale * i ... scale * i + scale - 1 of the image.
Position SamplingGrid::Layer::in_image(Position at) const {
  return {scale * at.y + (scale - 1) / 2, scale * at.x + (scale - 1) / 2};
}

Position SamplingGrid::Layer::from_image(Position at) const {
  return {(at.y - (scale - 1) / 2) / scale, (at.x - (scale - 1) / 2) / scale};
}

SamplingPoints SamplingGrid::points(std::int64_t p, std::int64_t q) const {
  const Position at{static_cast<double>(p), static_cast<double>(q)};
  const auto side = static_cast<double>(second_.side);
  const auto inside = [&](double i) { return i > -1.0 && i < side; };  // where bilinear is not zero
  SamplingPoints result;
  result.output = second_.in_image(at);
  for (std::int64_t k = 0; k < kTaps; ++k)
    result.regular.push_back(second_.in_image(regular_tap(at, k)));
  for (const Position& tap : second_.taps(at)) {
    result.taps.push_back(second_.in_image(tap));
    if (!inside(tap.y) || !inside(tap.x)) continue;
    for (const Position& point : first_.taps(first_.from_image(result.taps.back())))
      result.points.push_back(first_.in_image(point));
  }
  return result;
}

}  // namespace drape
