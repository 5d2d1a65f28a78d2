#include "kernels/gather_batch.h"

#include <algorithm>

#include "kernels/memory.h"
#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr int kWhite = 255;

using Bytes = RecycledVector<std::uint8_t>;

// The image at a position of the epoch, augmented: as stored, or in `changed`.
template <class T>
const std::uint8_t* image_at(const GatherBatch<T>& g, std::int64_t position, Bytes& changed) {
  const std::uint8_t* image = g.images + g.order[position] * g.pixels();
  if (g.augmentations == nullptr) return image;
  changed.resize(static_cast<std::size_t>(g.pixels()));
  std::uint8_t* to = changed.data();
  for (std::int64_t h = 0; h < g.height; ++h) {
    for (std::int64_t w = 0; w < g.width; ++w) {
      const std::int64_t source = g.augmentations[position].source(h, w, g.height, g.width);
      for (std::int64_t c = 0; c < g.channels; ++c)
        *to++ = source < 0 ? std::uint8_t{0} : image[source * g.channels + c];
    }
  }
  return changed.data();
}

// Row n of those wanted of a batch.
template <class T>
void gather_row(const GatherBatch<T>& g, std::int64_t batch, std::int64_t n, Bytes (&changed)[2]) {
  const std::int64_t at = batch * g.batch_size + g.first + n, pixels = g.pixels();
  const std::uint8_t* image = image_at(g, at, changed[0]);
  T *x = g.x + n * pixels, *targets = g.targets + n * g.classes;
  const std::uint8_t label = g.batch_labels[n] = g.labels[g.order[at]];
  std::fill_n(targets, g.classes, g.of_all());
  if (g.partners == nullptr) {
#pragma omp simd
    for (std::int64_t p = 0; p < pixels; ++p) x[p] = static_cast<T>(image[p]) / T(kWhite);
    targets[label] += g.of_label();
    return;
  }
  const std::int64_t partner_at = g.partners[at];
  const std::uint8_t* partner = image_at(g, partner_at, changed[1]);
  const double lambda = g.lambdas[batch];
  const T own = static_cast<T>(lambda), other = static_cast<T>(1.0 - lambda);
#pragma omp simd
  for (std::int64_t p = 0; p < pixels; ++p) {
    x[p] = (own * static_cast<T>(image[p]) + other * static_cast<T>(partner[p])) / T(kWhite);
  }
  const std::uint8_t partner_label = g.labels[g.order[partner_at]];
  targets[label] += own * g.of_label();
  targets[partner_label] += other * g.of_label();
}

}  // namespace

template <class T>
void gather_batch(Cpu, const GatherBatch<T>& g) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, g.pixels()));
  const std::int64_t batch = g.which();
  parallel_ranges(g.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    Bytes changed[2];  // by augmentation
    for (std::int64_t n = begin; n < end; ++n) gather_row(g, batch, n, changed);
  });
}

template void gather_batch(Cpu, const GatherBatch<float>&);
template void gather_batch(Cpu, const GatherBatch<double>&);

}  // namespace drape::kernels
