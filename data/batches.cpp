#include "data/batches.h"

#include <algorithm>

#include "kernels/gather_batch.h"

namespace drape {
namespace {

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

// The index that each row is mixed with; none if the batch is not mixed.
std::vector<std::int32_t> partners_of(std::span<const std::int32_t> indices, const Mix& mix) {
  if (mix.order.empty()) return {};
  DRAPE_CHECK(mix.order.size() == indices.size(), "gather_batch: expected a mix of {} rows, got {}",
              indices.size(), mix.order.size());
  DRAPE_CHECK(mix.lambda >= 0.0 && mix.lambda <= 1.0,
              "gather_batch: expected a mix with 0 <= lambda <= 1, got {}", mix.lambda);
  std::vector<std::int32_t> partners;
  for (const std::int32_t n : mix.order) {
    DRAPE_CHECK(n >= 0 && n < length(indices),
                "gather_batch: expected a mix of rows 0...{}, got {}", length(indices) - 1, n);
    partners.push_back(indices[static_cast<std::size_t>(n)]);
  }
  return partners;
}

}  // namespace

Batch gather_batch(const Tensor& images, const Tensor& labels,
                   std::span<const std::int32_t> indices, std::int64_t classes, const Mix& mix,
                   DType dtype) {
  check_stored(images, labels, classes);
  check_indices(labels, indices, classes);
  const std::vector<std::int32_t> partners = partners_of(indices, mix);
  const Shape& stored = images.shape();
  const Device device = images.device();
  const std::int64_t rows = length(indices), pixels = stored[1] * stored[2] * stored[3];
  const Tensor own = Tensor::from({rows}, indices, device);
  const Tensor other =
      partners.empty() ? Tensor() : Tensor::from<std::int32_t>({rows}, partners, device);
  Batch batch{Tensor::uninitialized({rows, stored[1], stored[2], stored[3]}, dtype, device),
              Tensor::uninitialized({rows, classes}, accumulator(dtype), device),
              Tensor::uninitialized({rows}, DType::u8, device)};
  dispatch(batch.x, [&]<class T>(auto tag, T) {
    kernels::gather_batch(tag, kernels::GatherBatch<T>{
                                   .batch = rows,
                                   .pixels = pixels,
                                   .classes = classes,
                                   .images = images.data<std::uint8_t>(),
                                   .labels = labels.data<std::uint8_t>(),
                                   .indices = own.data<std::int32_t>(),
                                   .partners = other.empty() ? nullptr : other.data<std::int32_t>(),
                                   .lambda = mix.lambda,
                                   .x = batch.x.data<T>(),
                                   .targets = batch.targets.data<Accumulator<T>>(),
                                   .batch_labels = batch.labels.data<std::uint8_t>()});
  });
  return batch;
}

Batches::Batches(std::span<const std::int32_t> indices, std::int64_t batch_size, Generator* shuffle)
    : indices_(indices.begin(), indices.end()), batch_size_(batch_size) {
  DRAPE_CHECK(batch_size >= 1, "batches: expected a batch size >= 1, got {}", batch_size);
  if (shuffle == nullptr) return;
  const std::vector<std::int32_t> order = permutation(shuffle->next(), length(indices));
  std::ranges::transform(order, indices_.begin(),
                         [&](std::int32_t i) { return indices[static_cast<std::size_t>(i)]; });
}

std::int64_t Batches::size() const {
  return (length(indices_) + batch_size_ - 1) / batch_size_;
}

std::span<const std::int32_t> Batches::operator[](std::int64_t i) const {
  const std::int64_t begin = i * batch_size_;
  const std::int64_t count = std::min(batch_size_, length(indices_) - begin);
  return std::span(indices_).subspan(static_cast<std::size_t>(begin),
                                     static_cast<std::size_t>(count));
}

}  // namespace drape
