#include "examples/pictures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "data/images.h"
#include "data/mixup.h"
#include "kernels/ceil_div.h"

namespace drape {
namespace {

constexpr std::size_t kMistakes = 12, kSampledImages = 3;
constexpr std::int64_t kMixedImages = 12, kBatch = 128, kFilterColumns = 8;

// Of the first layer, [K,R,S,1]; empty if it is another one.
FilterPicture picture_filters(Sequential& network) {
  const std::vector<NamedTensor> state = network.state();
  const auto found = std::ranges::find(state, "conv1.weight", &NamedTensor::name);
  if (found == state.end() || found->tensor.shape()[3] != 1) return {};
  const Shape& shape = found->tensor.shape();
  const std::vector<float> values = found->tensor.to_vector<float>();
  FilterPicture result{.count = shape[0],
                       .columns = std::min(kFilterColumns, shape[0]),
                       .height = shape[1],
                       .width = shape[2],
                       .largest = 0.0,
                       .image = {}};
  for (const double value : values) result.largest = std::max(result.largest, std::abs(value));
  const double scale = result.largest > 0.0 ? 127.0 / result.largest : 0.0;
  const std::int64_t rows = kernels::ceil_div(result.count, result.columns);
  GreyImage& image = result.image;
  image = {rows * result.height, result.columns * result.width, {}};
  image.pixels.assign(static_cast<std::size_t>(image.height * image.width), 128);
  for (std::int64_t i = 0; i < std::ssize(values); ++i) {
    const std::int64_t filter = i / (result.height * result.width);
    const std::int64_t y =
        filter / result.columns * result.height + i / result.width % result.height;
    const std::int64_t x = filter % result.columns * result.width + i % result.width;
    image.pixels[static_cast<std::size_t>(y * image.width + x)] =
        static_cast<std::uint8_t>(std::lround(128.0 + scale * values[static_cast<std::size_t>(i)]));
  }
  return result;
}

// The first image of each of the first few classes that occur.
std::vector<std::int64_t> sampled_images(const LabelledImages& images) {
  std::vector<std::int64_t> chosen;
  std::set<std::uint8_t> seen;
  for (std::int64_t i = 0; i < images.size() && chosen.size() < kSampledImages; ++i)
    if (seen.insert(images.labels[static_cast<std::size_t>(i)]).second) chosen.push_back(i);
  return chosen;
}

// A pixel of a map, and the light in the part of the image that the 3 x 3 pixels around it cover.
struct Place {
  std::int64_t p = 1, q = 1;
  double light = 0.0, spread = 0.0;  // the sum, and the sum of squared differences from the mean
};

// `step`: pixels of the image in one of the map, along a side.
Place place_at(const GreyImage& image, std::int64_t step, std::int64_t p, std::int64_t q) {
  double sum = 0.0, squares = 0.0;
  for (std::int64_t y = (p - 1) * step; y < (p + 2) * step; ++y)
    for (std::int64_t x = (q - 1) * step; x < (q + 2) * step; ++x) {
      const double light = image.pixels[static_cast<std::size_t>(y * image.width + x)];
      sum += light;
      squares += light * light;
    }
  return {p, q, sum, squares - sum * sum / static_cast<double>(9 * step * step)};
}

// Three pixels of a map of that side, away from its border.
std::array<std::pair<const char*, Place>, 3> places_of(const GreyImage& image, std::int64_t side) {
  std::vector<Place> all;
  for (std::int64_t p = 1; p + 1 < side; ++p)
    for (std::int64_t q = 1; q + 1 < side; ++q)
      all.push_back(place_at(image, image.height / side, p, q));
  return {{{"inside", *std::ranges::max_element(all, {}, &Place::light)},
           {"at an edge", *std::ranges::max_element(all, {}, &Place::spread)},
           {"outside", *std::ranges::min_element(all, {}, &Place::light)}}};
}

std::vector<SamplingPicture> picture_sampling(Sequential& network, const LabelledImages& images) {
  std::vector<SamplingPicture> pictures;
  for (const std::int64_t number : sampled_images(images)) {
    const GreyImage image = image_of(images, number);
    const auto grid = SamplingGrid::of(network, batch_of(std::span(&image, 1)));
    if (!grid) return {};
    for (const auto& [name, place] : places_of(image, grid->side()))
      pictures.push_back({image, images.labels[static_cast<std::size_t>(number)], name,
                          grid->points(place.p, place.q)});
  }
  return pictures;
}

}  // namespace

RunPictures picture_run(const std::filesystem::path& folder, const RunResult& run,
                        const LabelledImages* test) {
  RunPictures pictures{.system = run.system,
                       .seed = run.seed,
                       .filters = {},
                       .offsets = read_offsets(folder),
                       .mistakes = {},
                       .sampling = {}};
  const std::filesystem::path weights = folder / kWeightsFile;
  if (!std::filesystem::exists(weights)) return pictures;
  SavedModel model = load_model(weights);
  pictures.filters = picture_filters(model.network);
  if (test == nullptr) return pictures;
  pictures.sampling = picture_sampling(model.network, *test);
  for (const Mistake& mistake : evaluate_model(model, *test).mistakes) {
    if (pictures.mistakes.size() == kMistakes) break;
    pictures.mistakes.push_back({image_of(*test, mistake.image), mistake});
  }
  return pictures;
}

std::vector<MixedImage> picture_mixup(const LabelledImages& images, double alpha) {
  constexpr std::uint64_t kSeed = 0;
  const MixUp mixup(alpha);
  Generator random(kSeed, Purpose::mixup);
  std::vector<MixedImage> mixed;
  for (std::int64_t n = 0; n < std::min(kMixedImages, images.size()); ++n) {
    const Mix mix = mixup.draw(random, std::min(kBatch, images.size()));  // a batch: n is shown
    const std::int64_t other = mix.order[static_cast<std::size_t>(n)];
    GreyImage image = image_of(images, n);
    const GreyImage second = image_of(images, other);
    std::ranges::transform(image.pixels, second.pixels, image.pixels.begin(), [&](int a, int b) {
      return static_cast<std::uint8_t>(std::lround(mix.lambda * a + (1.0 - mix.lambda) * b));
    });
    mixed.push_back({std::move(image), mix.lambda, images.labels[static_cast<std::size_t>(n)],
                     images.labels[static_cast<std::size_t>(other)]});
  }
  return mixed;
}

}  // namespace drape
