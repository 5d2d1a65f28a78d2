// A training batch from the images and labels as stored: gather, augment, scale to [0, 1], smooth
// labels and mix, in one pass. MixUp: Zhang et al. 2018 (arXiv:1710.09412), section 1:
//   x = lambda * x_i + (1 - lambda) * x_j     y = lambda * y_i + (1 - lambda) * y_j
// Label smoothing: Szegedy et al. 2016 (arXiv:1512.00567), section 7, with a uniform prior:
//   y_i = (1 - smoothing) * one_hot(label_i) + smoothing / K
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/bfloat16.h"
#include "kernels/progress.h"

namespace drape::kernels {

/// What is done to one image, in this order: it is mirrored, moved, and a rectangle of the result
/// is erased. What comes from outside and what is erased is black.
struct Augmentation {
  bool mirrored = false;             // left and right
  std::int16_t down = 0, right = 0;  // moved by, in pixels
  std::int16_t top = 0, bottom = 0;  // erased: top <= h < bottom and
  std::int16_t left = 0, end = 0;    // left <= w < end

  /// The pixel, h * width + w, that pixel (h, w) of the result is; -1: black.
  DRAPE_HOST_DEVICE std::int64_t source(std::int64_t h, std::int64_t w, std::int64_t height,
                                        std::int64_t width) const {
    if (h >= top && h < bottom && w >= left && w < end) return -1;
    h -= down;
    w -= right;
    if (h < 0 || h >= height || w < 0 || w >= width) return -1;
    return h * width + (mirrored ? width - 1 - w : w);
  }
};

/// What the kernel reads, over M stored examples, and writes, for N rows of one of an epoch's
/// batches. Indices are below M, positions in the epoch and labels below `classes`: the caller's
/// promise.
template <class T>
struct GatherBatch {
  std::int64_t rows, height, width, channels, classes;  // N, H, W, C, K
  const std::uint8_t* images;                           // [M,H,W,C]
  const std::uint8_t* labels;                           // [M]
  const std::int32_t* order;                            // [epoch], i: batch after batch
  const std::int32_t* partners;       // [epoch], positions of j in order; null: not mixed
  const double* lambdas;              // [batches], the share of i
  const Augmentation* augmentations;  // [epoch], by position; null: none
  double smoothing;                   // of labels
  std::int64_t batch_size;            // of all batches but the last
  std::int64_t number;                // of the batch
  std::int64_t first;                 // row of the batch
  const Progress* progress;           // if not null, its step is the number of the batch
  T* x;                               // [N,H,W,C], pixel / 255, mixed
  Accumulator<T>* targets;            // [N,K], smoothed, mixed
  std::uint8_t* batch_labels;         // [N], of i

  DRAPE_HOST_DEVICE std::int64_t pixels() const { return height * width * channels; }

  /// The number of the batch; to be called on the device.
  DRAPE_HOST_DEVICE std::int64_t which() const {
    return progress == nullptr ? number : progress->step;
  }

  /// Element p, below pixels(), of the image at a position of the epoch, augmented.
  DRAPE_HOST_DEVICE std::uint8_t pixel(std::int64_t position, std::int64_t p) const {
    const std::uint8_t* image = images + order[position] * pixels();
    if (augmentations == nullptr) return image[p];
    const std::int64_t place = p / channels, c = p - place * channels;
    const std::int64_t h = place / width, w = place - h * width;
    const std::int64_t source = augmentations[position].source(h, w, height, width);
    return source < 0 ? std::uint8_t{0} : image[source * channels + c];
  }

  /// Of a target: what its label has in it, and what every class has.
  DRAPE_HOST_DEVICE Accumulator<T> of_label() const {
    return static_cast<Accumulator<T>>(1.0 - smoothing);
  }
  DRAPE_HOST_DEVICE Accumulator<T> of_all() const {
    return static_cast<Accumulator<T>>(smoothing) / static_cast<Accumulator<T>>(classes);
  }
};

template <class T>
void gather_batch(Cpu, const GatherBatch<T>& g);
template <class T>
void gather_batch(Cuda, const GatherBatch<T>& g);

}  // namespace drape::kernels
