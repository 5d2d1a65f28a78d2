#include "kernels/cuda.cuh"
#include "kernels/gather_batch.h"

namespace drape::kernels {
namespace {

constexpr unsigned kThreads = 128;

// A block per row of the batch.
template <class T>
__global__ void gather_batch_kernel(GatherBatch<T> g) {
  constexpr int kWhite = 255;
  const std::int64_t n = blockIdx.x, batch = g.which(), at = batch * g.batch_size + n;
  const bool mixed = g.partners != nullptr;
  const std::int64_t i = g.order[at], j = mixed ? g.partners[at] : i;
  using A = Accumulator<T>;
  const double lambda = mixed ? g.lambdas[batch] : 1.0;
  const A own = static_cast<A>(lambda), other = static_cast<A>(1.0 - lambda);
  const std::uint8_t *image = g.images + i * g.pixels, *partner = g.images + j * g.pixels;
  T* x = g.x + n * g.pixels;
  A* targets = g.targets + n * g.classes;
  for (std::int64_t p = threadIdx.x; p < g.pixels; p += kThreads) {
    const A pixel = static_cast<A>(image[p]);
    const A blend = mixed ? own * pixel + other * static_cast<A>(partner[p]) : pixel;
    x[p] = static_cast<T>(blend / A(kWhite));
  }
  const std::int64_t label = g.labels[i], partner_label = g.labels[j];
  for (std::int64_t k = threadIdx.x; k < g.classes; k += kThreads) {
    const A of_partner = mixed && k == partner_label ? other : A(0);
    targets[k] = (k != label ? A(0) : mixed ? own : A(1)) + of_partner;
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
template void gather_batch(Cuda, const GatherBatch<BFloat16>&);

}  // namespace drape::kernels
