// From a stored data set to the batches of an epoch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"
#include "data/mixup.h"
#include "kernels/progress.h"

namespace drape {

/// What a training step reads.
struct Batch {
  Tensor x;        ///< [N,H,W,C], pixels in [0, 1]
  Tensor targets;  ///< [N,classes], one-hot or mixed
  Tensor labels;   ///< u8 [N], before mixing: what training accuracy is counted against
};

/// One epoch: every index once, cut into batches of `batch_size`; the last may be smaller.
class Batches {
 public:
  /// In the order given, or shuffled with the next stream of `shuffle`. Error: batch_size < 1.
  Batches(std::span<const std::int32_t> indices, std::int64_t batch_size,
          Generator* shuffle = nullptr);

  /// Number of batches.
  std::int64_t size() const;
  std::int64_t batch_size() const { return batch_size_; }
  /// The indices of batch i < size(), or of all batches; valid as long as this object lives.
  std::span<const std::int32_t> operator[](std::int64_t i) const;
  std::span<const std::int32_t> indices() const { return indices_; }

 private:
  std::vector<std::int32_t> indices_;
  std::int64_t batch_size_;
};

/// The batches of an epoch where they are gathered: in the memory of the images' device.
class BatchPlan {
 public:
  /// Batches of images, u8 [M,H,W,C], and labels, u8 [M], mixed by one Mix a batch, or not where
  /// `mixes` is empty. Error: an index that is no example, a label that is no class (on the CPU), a
  /// mix of another size.
  BatchPlan(const Tensor& images, const Tensor& labels, std::int64_t classes,
            const Batches& batches, std::span<const Mix> mixes = {});

  /// Another epoch of the same images, of as many batches, in the same memory.
  void replace(const Batches& batches, std::span<const Mix> mixes = {});

  /// Batch i with elements of `dtype` (targets of its accumulator); the formula:
  /// kernels/gather_batch.h. With `progress`, on the same device: another batch of that size, the
  /// one whose number is progress->step.
  Batch gather(std::int64_t i, DType dtype = DType::f32,
               const kernels::Progress* progress = nullptr) const;

 private:
  Tensor images_, labels_;
  std::int64_t classes_, batch_size_;
  Tensor order_;               // i32 [epoch]
  Tensor partners_, lambdas_;  // i32 [epoch], f64 [batches]; empty if batches are not mixed
};

/// One batch of the examples `indices`, in the order given, mixed if `mix` says so; as above.
Batch gather_batch(const Tensor& images, const Tensor& labels,
                   std::span<const std::int32_t> indices, std::int64_t classes, const Mix& mix = {},
                   DType dtype = DType::f32);

}  // namespace drape
