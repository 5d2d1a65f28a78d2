// From a stored data set to the batches of an epoch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"
#include "data/augmentation.h"
#include "data/mixup.h"
#include "kernels/progress.h"

namespace drape {

/// What a training step reads.
struct Batch {
  Tensor x;        // [N,H,W,C], pixels in [0, 1]
  Tensor targets;  // [N,classes], one-hot or mixed
  Tensor labels;   // u8 [N], before mixing: what training accuracy is counted against
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

/// Some rows of a batch.
struct Rows {
  std::int64_t first, count;
};

/// What is drawn for an epoch beside its order; empty: nothing of that kind is done.
struct EpochDraws {
  std::span<const Mix> mixes = {};                            // one a batch
  std::span<const kernels::Augmentation> augmentations = {};  // one an image, in order
};

/// The batches of an epoch where they are gathered: in the memory of the images' device.
class BatchPlan {
 public:
  /// Batches of images, u8 [M,H,W,C], and labels, u8 [M], smoothed by `smoothing` in [0, 1).
  /// Error: an index that is no example, a label that is no class (on the CPU), a mix of another
  /// size, another number of augmentations.
  BatchPlan(const Tensor& images, const Tensor& labels, std::int64_t classes,
            const Batches& batches, const EpochDraws& draws = {}, double smoothing = 0.0);

  /// Another epoch of the same images, of as many batches, in the same memory. Draws of the same
  /// kinds.
  void replace(const Batches& batches, const EpochDraws& draws = {});

  /// Batch i with elements of `dtype` (targets of its accumulator); the formula:
  /// kernels/gather_batch.h.
  Batch gather(std::int64_t i, DType dtype = DType::f32) const;
  /// The same for some rows of it: first ... first + count - 1, of which there are that many. With
  /// `progress`, on the same device: of another batch of that size, the one whose number is
  /// progress->step.
  Batch gather(std::int64_t i, Rows rows, DType dtype, const kernels::Progress* progress) const;
  /// Rows of batch i.
  std::int64_t rows(std::int64_t i) const;

 private:
  void mix(const Batches& batches, std::span<const Mix> mixes);

  Tensor images_, labels_;
  std::int64_t classes_, batch_size_;
  double smoothing_;
  Tensor order_;               // i32 [epoch]
  Tensor partners_, lambdas_;  // i32 [epoch], f64 [batches]; empty if batches are not mixed
  Tensor augmentations_;       // u8 [epoch, bytes of one]; empty if there are none
};

/// One batch of the examples `indices`, in the order given, mixed if `mix` says so; as above.
Batch gather_batch(const Tensor& images, const Tensor& labels,
                   std::span<const std::int32_t> indices, std::int64_t classes, const Mix& mix = {},
                   DType dtype = DType::f32);

}  // namespace drape
