// From a stored data set to the batches of an epoch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"
#include "data/mixup.h"

namespace drape {

/// What a training step reads.
struct Batch {
  Tensor x;        ///< [N,H,W,C], pixels in [0, 1]
  Tensor targets;  ///< [N,classes], one-hot or mixed
  Tensor labels;   ///< u8 [N], before mixing: what training accuracy is counted against
};

/// The examples `indices` of images, u8 [M,H,W,C], and labels, u8 [M], on their device and in the
/// order given, with elements of `dtype` (targets of its accumulator), mixed if `mix` says so. The
/// formula: kernels/gather_batch.h. Error: an index that is no example, a label that is no class
/// (on the CPU), a mix of another size.
Batch gather_batch(const Tensor& images, const Tensor& labels,
                   std::span<const std::int32_t> indices, std::int64_t classes, const Mix& mix = {},
                   DType dtype = DType::f32);

/// One epoch: every index once, cut into batches of `batch_size`; the last may be smaller.
class Batches {
 public:
  /// In the order given, or shuffled with the next stream of `shuffle`. Error: batch_size < 1.
  Batches(std::span<const std::int32_t> indices, std::int64_t batch_size,
          Generator* shuffle = nullptr);

  /// Number of batches.
  std::int64_t size() const;
  /// The indices of batch i < size(), valid as long as this object lives.
  std::span<const std::int32_t> operator[](std::int64_t i) const;

 private:
  std::vector<std::int32_t> indices_;
  std::int64_t batch_size_;
};

}  // namespace drape
