#include "data/batches.h"

#include <algorithm>

#include "kernels/gather_batch.h"

namespace drape {
namespace {

constexpr std::int64_t kBytesOfAugmentation = sizeof(kernels::Augmentation);
static_assert(std::is_trivially_copyable_v<kernels::Augmentation>);

std::int64_t length(std::span<const std::int32_t> indices) {
  return static_cast<std::int64_t>(indices.size());
}

void check_stored(const Tensor& images, const Tensor& labels, std::int64_t classes) {
  DRAPE_CHECK(images.shape().rank() == 4 && images.dtype() == DType::u8,
              "gather_batch: expected images u8 [M,H,W,C], got {} {}", name(images.dtype()),
              images.shape().to_string());
  DRAPE_CHECK(labels.shape() == Shape({images.shape()[0]}) && labels.dtype() == DType::u8,
              "gather_batch: expected labels u8 [{}], got {} {}", images.shape()[0],
              name(labels.dtype()), labels.shape().to_string());
  DRAPE_CHECK(labels.device() == images.device(),
              "gather_batch: expected labels on {} like the images, got {}", name(images.device()),
              name(labels.device()));
  DRAPE_CHECK(classes >= 1, "gather_batch: expected at least one class, got {}", classes);
}

void check_indices(const Tensor& labels, std::span<const std::int32_t> indices,
                   std::int64_t classes) {
  const std::uint8_t* label =
      labels.device() == Device::cpu ? labels.data<std::uint8_t>() : nullptr;
  for (const std::int32_t i : indices) {
    DRAPE_CHECK(i >= 0 && i < labels.size(), "gather_batch: expected indices 0...{}, got {}",
                labels.size() - 1, i);
    DRAPE_CHECK(label == nullptr || label[i] < classes,
                "gather_batch: expected labels 0...{}, got {} at index {}", classes - 1, label[i],
                i);
  }
}

// Adds the positions in the epoch that the rows of a batch, of which the first is at `begin`, are
// mixed with.
void append_partners(std::int64_t begin, std::int64_t rows, const Mix& mix,
                     std::vector<std::int32_t>& partners) {
  DRAPE_CHECK(static_cast<std::int64_t>(mix.order.size()) == rows,
              "gather_batch: expected a mix of {} rows, got {}", rows, mix.order.size());
  DRAPE_CHECK(mix.lambda >= 0.0 && mix.lambda <= 1.0,
              "gather_batch: expected a mix with 0 <= lambda <= 1, got {}", mix.lambda);
  for (const std::int32_t n : mix.order) {
    DRAPE_CHECK(n >= 0 && n < rows, "gather_batch: expected a mix of rows 0...{}, got {}", rows - 1,
                n);
    partners.push_back(static_cast<std::int32_t>(begin) + n);
  }
}

}  // namespace

Batches::Batches(std::span<const std::int32_t> indices, std::int64_t batch_size, Generator* shuffle)
    : indices_(indices.begin(), indices.end()), batch_size_(batch_size) {
  DRAPE_CHECK(batch_size >= 1, "batches: expected a batch size >= 1, got {}", batch_size);
  if (shuffle == nullptr) return;
  const std::vector<std::int32_t> order = permutation(shuffle->next(), length(indices));
  std::ranges::transform(order, indices_.begin(),
                         [&](std::int32_t i) { return indices[static_cast<std::size_t>(i)]; });
}

std::int64_t Batches::size() const {
  return length(indices_) == 0 ? 0 : (length(indices_) - 1) / batch_size_ + 1;
}

std::span<const std::int32_t> Batches::operator[](std::int64_t i) const {
  const std::int64_t begin = i * batch_size_;
  const std::int64_t count = std::min(batch_size_, length(indices_) - begin);
  return std::span(indices_).subspan(static_cast<std::size_t>(begin),
                                     static_cast<std::size_t>(count));
}

BatchPlan::BatchPlan(const Tensor& images, const Tensor& labels, std::int64_t classes,
                     const Batches& batches, const EpochDraws& draws, double smoothing)
    : images_(images),
      labels_(labels),
      classes_(classes),
      batch_size_(batches.batch_size()),
      smoothing_(smoothing) {
  check_stored(images, labels, classes);
  DRAPE_CHECK(smoothing >= 0.0 && smoothing < 1.0,
              "gather_batch: expected label smoothing in [0, 1), got {}", smoothing);
  const Device device = images.device();
  const std::int64_t epoch = length(batches.indices());
  order_ = Tensor::uninitialized({epoch}, DType::i32, device);
  if (!draws.mixes.empty()) {
    partners_ = Tensor::like(order_);
    lambdas_ = Tensor::uninitialized({batches.size()}, DType::f64, device);
  }
  if (!draws.augmentations.empty())
    augmentations_ = Tensor::uninitialized({epoch, kBytesOfAugmentation}, DType::u8, device);
  replace(batches, draws);
}

void BatchPlan::replace(const Batches& batches, const EpochDraws& draws) {
  check_indices(labels_, batches.indices(), classes_);
  DRAPE_CHECK(batches.batch_size() == batch_size_, "gather_batch: expected batches of {}, got {}",
              batch_size_, batches.batch_size());
  DRAPE_CHECK(draws.mixes.empty() == partners_.empty() &&
                  draws.augmentations.empty() == augmentations_.empty(),
              "gather_batch: expected mixes and augmentations if there were some before, "
              "and none else");
  const Device device = images_.device();
  order_.assign(Tensor::from(order_.shape(), batches.indices(), device));
  if (!partners_.empty()) mix(batches, draws.mixes);
  if (augmentations_.empty()) return;
  DRAPE_CHECK(static_cast<std::int64_t>(draws.augmentations.size()) == order_.size(),
              "gather_batch: expected an augmentation for each of {} images, got {}", order_.size(),
              draws.augmentations.size());
  const auto bytes = std::as_bytes(draws.augmentations);
  augmentations_.assign(Tensor::from(
      augmentations_.shape(),
      std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), device));
}

void BatchPlan::mix(const Batches& batches, std::span<const Mix> mixes) {
  DRAPE_CHECK(static_cast<std::int64_t>(mixes.size()) == batches.size(),
              "gather_batch: expected a mix for each of {} batches, got {}", batches.size(),
              mixes.size());
  std::vector<std::int32_t> partners;
  std::vector<double> lambdas;
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    const Mix& mix = mixes[static_cast<std::size_t>(i)];
    append_partners(i * batch_size_, length(batches[i]), mix, partners);
    lambdas.push_back(mix.lambda);
  }
  partners_.assign(Tensor::from<std::int32_t>(partners_.shape(), partners, images_.device()));
  lambdas_.assign(Tensor::from<double>(lambdas_.shape(), lambdas, images_.device()));
}

std::int64_t BatchPlan::rows(std::int64_t i) const {
  return std::min(batch_size_, order_.size() - i * batch_size_);
}

Batch BatchPlan::gather(std::int64_t i, DType dtype) const {
  return gather(i, {.first = 0, .count = rows(i)}, dtype, nullptr);
}

Batch BatchPlan::gather(std::int64_t i, Rows rows, DType dtype,
                        const kernels::Progress* progress) const {
  const Shape& stored = images_.shape();
  const Device device = images_.device();
  Batch batch{Tensor::uninitialized({rows.count, stored[1], stored[2], stored[3]}, dtype, device),
              Tensor::uninitialized({rows.count, classes_}, accumulator(dtype), device),
              Tensor::uninitialized({rows.count}, DType::u8, device)};
  dispatch(batch.x, [&]<class T>(auto tag, T) {
    kernels::gather_batch(tag, kernels::GatherBatch<T>{
                                   .rows = rows.count,
                                   .height = stored[1],
                                   .width = stored[2],
                                   .channels = stored[3],
                                   .classes = classes_,
                                   .images = images_.data<std::uint8_t>(),
                                   .labels = labels_.data<std::uint8_t>(),
                                   .order = order_.data<std::int32_t>(),
                                   .partners = partners_.data<std::int32_t>(),
                                   .lambdas = lambdas_.data<double>(),
                                   .augmentations = reinterpret_cast<const kernels::Augmentation*>(
                                       augmentations_.data<std::uint8_t>()),
                                   .smoothing = smoothing_,
                                   .batch_size = batch_size_,
                                   .number = i,
                                   .first = rows.first,
                                   .progress = progress,
                                   .x = batch.x.data<T>(),
                                   .targets = batch.targets.data<Accumulator<T>>(),
                                   .batch_labels = batch.labels.data<std::uint8_t>()});
  });
  return batch;
}

Batch gather_batch(const Tensor& images, const Tensor& labels,
                   std::span<const std::int32_t> indices, std::int64_t classes, const Mix& mix,
                   DType dtype) {
  const Batches one(indices, std::max<std::int64_t>(length(indices), 1));
  const std::span<const Mix> mixes(&mix, mix.order.empty() ? 0 : 1);
  return BatchPlan(images, labels, classes, one, {.mixes = mixes}).gather(0, dtype);
}

}  // namespace drape
