#include "examples/event_observer.h"

#include <algorithm>

#include "layers/deform_conv2d.h"

namespace drape {
namespace {

constexpr std::size_t kImages = 64, kShown = 4;

std::vector<float> values_of(const Tensor& tensor) {
  return tensor.to(DType::f32).to_vector<float>();
}

// Image i of [N,H,W,1], 0 ... 1.
GreyImage grey_image(const Tensor& images, std::int64_t i) {
  const Shape& shape = images.shape();
  GreyImage image{shape[1], shape[2], {}};
  const std::vector<float> all = values_of(images);
  const auto first = all.begin() + i * shape[1] * shape[2];
  std::transform(first, first + shape[1] * shape[2], std::back_inserter(image.pixels),
                 [](float value) { return static_cast<std::uint8_t>(255.0f * value + 0.5f); });
  return image;
}

}  // namespace

EventObserver::EventObserver(const std::filesystem::path& folder, Sequential& model,
                             const Examples& examples)
    : log_(folder), model_(model) {
  const auto chosen = std::span(examples.indices).first(std::min(kImages, examples.indices.size()));
  images_ = gather_batch(examples.images, examples.labels, chosen, examples.classes, {},
                         compute_type(model))
                .x;
  for (std::int64_t i = 0; i < std::ssize(chosen.first(std::min(kShown, chosen.size()))); ++i)
    log_.image(fmt::format("images/{}", i), 0, grey_image(images_, i));
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
