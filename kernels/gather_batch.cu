#include "kernels/cuda.cuh"
#include "kernels/gather_batch.h"

namespace drape::kernels {
namespace {

constexpr unsigned kThreads = 128;

// A block per row of the batch.
template <class T>
__global__ void gather_batch_kernel(GatherBatch<T> g) {
  constexpr int kWhite = 255;
  const std::int64_t n = blockIdx.x, i = g.indices[n];
  const bool mixed = g.partners != nullptr;
  const std::int64_t j = mixed ? g.partners[n] : i;
  const T own = static_cast<T>(g.lambda), other = static_cast<T>(1.0 - g.lambda);
  const std::uint8_t *image = g.images + i * g.pixels, *partner = g.images + j * g.pixels;
  T *x = g.x + n * g.pixels, *targets = g.targets + n * g.classes;
  for (std::int64_t p = threadIdx.x; p < g.pixels; p += kThreads) {
    const T pixel = static_cast<T>(image[p]);
    x[p] = (mixed ? own * pixel + other * static_cast<T>(partner[p]) : pixel) / T(kWhite);
  }
  const std::int64_t label = g.labels[i], partner_label = g.labels[j];
  for (std::int64_t k = threadIdx.x; k < g.classes; k += kThreads) {
    const T of_partner = mixed && k == partner_label ? other : T(0);
    targets[k] = (k != label ? T(0) : mixed ? own : T(1)) + of_partner;
  }
  if (threadIdx.x == 0) g.batch_labels[n] = g.labels[i];
}

}  // namespace

template <class T>
void gather_batch(Cuda cuda, const GatherBatch<T>& g) {
  if (g.batch == 0) return;
  launch(cuda, "gather_batch", {dim3(static_cast<unsigned>(g.batch)), dim3(kThreads)},
         gather_batch_kernel<T>, g);
}

template void gather_batch(Cuda, const GatherBatch<float>&);
template void gather_batch(Cuda, const GatherBatch<double>&);

}  // namespace drape::kernels
