#include "kernels/gather_batch.h"

#include "kernels/pack.cuh"

namespace drape::kernels {
namespace {

constexpr unsigned kThreads = 128;

// A block per row of the batch, `size` pixels at a time.
template <int size, class T>
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
  for (std::int64_t p = threadIdx.x * size; p < g.pixels; p += kThreads * size) {
    const auto of_image = load<size>(image + p), of_partner = load<size>(partner + p);
    Pack<T, size> pixels;
    for (int k = 0; k < size; ++k) {
      const A pixel = static_cast<A>(of_image.value[k]);
      const A blend = mixed ? own * pixel + other * static_cast<A>(of_partner.value[k]) : pixel;
      pixels.value[k] = static_cast<T>(blend / A(kWhite));
    }
    store(x + p, pixels);
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
         packs_fit(g.pixels, g.images) && packs_fit(g.pixels, g.x) ? gather_batch_kernel<kPack, T>
                                                                   : gather_batch_kernel<1, T>,
         g);
}

template void gather_batch(Cuda, const GatherBatch<float>&);
template void gather_batch(Cuda, const GatherBatch<double>&);
template void gather_batch(Cuda, const GatherBatch<BFloat16>&);

}  // namespace drape::kernels
