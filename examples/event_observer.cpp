#include "examples/event_observer.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "examples/first_batch.h"
#include "layers/deform_conv2d.h"

namespace drape {
namespace {

constexpr std::int64_t kImages = 64, kShown = 4;

std::vector<float> values_of(const Tensor& tensor) {
  return tensor.to(DType::f32).to_vector<float>();
}

// The first images of [N,H,W,1], 0 ... 1: `count`, or all where there are fewer.
std::vector<GreyImage> grey_images(const Tensor& images, std::int64_t count) {
  const Shape& shape = images.shape();
  const std::int64_t size = shape[1] * shape[2];
  const std::vector<float> values = values_of(images);
  std::vector<GreyImage> all;
  for (std::int64_t i = 0; i < std::min(count, shape[0]); ++i) {
    GreyImage& image = all.emplace_back(GreyImage{shape[1], shape[2], {}});
    const auto first = values.begin() + i * size;
    std::transform(first, first + size, std::back_inserter(image.pixels), [](float value) {
      return static_cast<std::uint8_t>(std::lround(255.0f * value));
    });
  }
  return all;
}

}  // namespace

EventObserver::EventObserver(const std::filesystem::path& folder, Sequential& model,
                             const Examples& examples)
    : log_(folder), model_(model), images_(first_batch(examples, kImages, model).x) {
  for (int i = 0; const GreyImage& image : grey_images(images_, kShown))
    log_.image(fmt::format("images/{}", i++), 0, image);
}

void EventObserver::on_epoch_end(const History& history, Standing /*standing*/) {
  const EpochRecord& last = history.back();
  log_.scalar("loss/train", last.epoch, last.train_loss);
  log_.scalar("loss/validation", last.epoch, last.validation_loss);
  log_.scalar("accuracy/train", last.epoch, last.train_accuracy);
  log_.scalar("accuracy/validation", last.epoch, last.validation_accuracy);
  log_.scalar("learning_rate", last.epoch, last.learning_rate);
  log_.scalar("seconds", last.epoch, last.seconds);
  for (const NamedTensor& entry : model_.state()) {
    if (is_trained(entry.role))
      log_.histogram("parameters/" + entry.name, last.epoch, values_of(entry.tensor));
  }
  write_offsets(last.epoch);
}

void EventObserver::write_offsets(std::int64_t epoch) {
  each_deformable(model_, images_,
                  [&](const std::string& name, DeformConv2d& layer, const Tensor& x) {
                    log_.histogram("offsets/" + name, epoch, values_of(layer.offsets(x)));
                  });
}

}  // namespace drape
