// A training batch from the images and labels as stored: gather, scale to [0, 1] and MixUp in one
// pass. MixUp: Zhang et al. 2018 (arXiv:1710.09412), section 1:
//   x = lambda * x_i + (1 - lambda) * x_j     y = lambda * y_i + (1 - lambda) * y_j
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/bfloat16.h"
#include "kernels/progress.h"

namespace drape::kernels {

/// What the kernel reads, over M stored examples, and writes, for the N of one of an epoch's
/// batches. Indices are below M and labels below `classes`: the caller's promise.
template <class T>
struct GatherBatch {
  std::int64_t batch, pixels, classes;  // N, H*W*C, K
  const std::uint8_t* images;           // [M, pixels]
  const std::uint8_t* labels;           // [M]
  const std::int32_t* order;            // [epoch], i: batch after batch
  const std::int32_t* partners;         // [epoch], j; null: not mixed
  const double* lambdas;                // [batches], the share of i
  std::int64_t batch_size;              // of all batches but the last
  std::int64_t number;                  // of the batch
  const Progress* progress;             // if not null, its step is the number of the batch
  T* x;                                 // [N, pixels], pixel / 255, mixed
  Accumulator<T>* targets;              // [N, classes], one-hot, mixed
  std::uint8_t* batch_labels;           // [N], of i

  /// The number of the batch; to be called on the device.
  DRAPE_HOST_DEVICE std::int64_t which() const {
    return progress == nullptr ? number : progress->step;
  }
};

template <class T>
void gather_batch(Cpu, const GatherBatch<T>& g);
template <class T>
void gather_batch(Cuda, const GatherBatch<T>& g);

}  // namespace drape::kernels
