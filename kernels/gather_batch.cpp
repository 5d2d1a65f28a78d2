#include "kernels/gather_batch.h"

#include <algorithm>

#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr int kWhite = 255;

// Row n of a batch.
template <class T>
void gather_row(const GatherBatch<T>& g, std::int64_t batch, std::int64_t n) {
  const std::int64_t at = batch * g.batch_size + n, i = g.order[at];
  const std::uint8_t* image = g.images + i * g.pixels;
  T *x = g.x + n * g.pixels, *targets = g.targets + n * g.classes;
  std::fill_n(targets, g.classes, T(0));
  g.batch_labels[n] = g.labels[i];
  if (g.partners == nullptr) {
#pragma omp simd
    for (std::int64_t p = 0; p < g.pixels; ++p) x[p] = static_cast<T>(image[p]) / T(kWhite);
    targets[g.labels[i]] = T(1);
    return;
  }
  const std::int64_t j = g.partners[at];
  const std::uint8_t* partner = g.images + j * g.pixels;
  const double lambda = g.lambdas[batch];
  const T own = static_cast<T>(lambda), other = static_cast<T>(1.0 - lambda);
#pragma omp simd
  for (std::int64_t p = 0; p < g.pixels; ++p) {
    x[p] = (own * static_cast<T>(image[p]) + other * static_cast<T>(partner[p])) / T(kWhite);
  }
  targets[g.labels[i]] += own;
  targets[g.labels[j]] += other;
}

}  // namespace

template <class T>
void gather_batch(Cpu, const GatherBatch<T>& g) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, g.pixels));
  const std::int64_t batch = g.which();
  parallel_ranges(g.batch, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) gather_row(g, batch, n);
  });
}

template void gather_batch(Cpu, const GatherBatch<float>&);
template void gather_batch(Cpu, const GatherBatch<double>&);

}  // namespace drape::kernels
