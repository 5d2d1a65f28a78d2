#include "kernels/gather_batch.h"

#include "kernels/pack.cuh"

namespace drape::kernels {
namespace {

constexpr unsigned kGatherThreads = 128;

// `size` pixels from p on of the image at a position of the epoch.
template <int size, class T>
__device__ Pack<std::uint8_t, size> pixels_at(const GatherBatch<T>& g, std::int64_t position,
                                              std::int64_t p) {
  if (g.augmentations == nullptr) return load<size>(g.images + g.order[position] * g.pixels() + p);
  Pack<std::uint8_t, size> pixels;
  for (int k = 0; k < size; ++k) pixels.value[k] = g.pixel(position, p + k);
  return pixels;
}

// A block per row of the batch, `size` pixels at a time.
template <int size, class T>
__global__ void gather_batch_kernel(GatherBatch<T> g) {
  constexpr int kWhite = 255;
  const std::int64_t n = blockIdx.x, batch = g.which(), at = batch * g.batch_size + g.first + n;
  const bool mixed = g.partners != nullptr;
  const std::int64_t partner_at = mixed ? g.partners[at] : at;
  using Real = Accumulator<T>;
  const double lambda = mixed ? g.lambdas[batch] : 1.0;
  const Real own = static_cast<Real>(lambda), other = static_cast<Real>(1.0 - lambda);
  T* x = g.x + n * g.pixels();
  for (std::int64_t p = threadIdx.x * size; p < g.pixels(); p += kGatherThreads * size) {
    const auto of_image = pixels_at<size>(g, at, p);
    const auto of_partner = mixed ? pixels_at<size>(g, partner_at, p) : of_image;
    Pack<T, size> pixels;
    for (int k = 0; k < size; ++k) {
      const Real pixel = static_cast<Real>(of_image.value[k]);
      const Real blend =
          mixed ? own * pixel + other * static_cast<Real>(of_partner.value[k]) : pixel;
      pixels.value[k] = static_cast<T>(blend / Real(kWhite));
    }
    store(x + p, pixels);
  }
  const std::uint8_t label = g.labels[g.order[at]], partner_label = g.labels[g.order[partner_at]];
  Real* targets = g.targets + n * g.classes;
  for (std::int64_t k = threadIdx.x; k < g.classes; k += kGatherThreads) {
    const Real target = g.of_all() + (k == label ? own * g.of_label() : Real(0));
    targets[k] = target + (mixed && k == partner_label ? other * g.of_label() : Real(0));
  }
  if (threadIdx.x == 0) g.batch_labels[n] = label;
}

}  // namespace

template <class T>
void gather_batch(Cuda cuda, const GatherBatch<T>& g) {
  if (g.rows == 0) return;
  launch(cuda, "gather_batch", {dim3(static_cast<unsigned>(g.rows)), dim3(kGatherThreads)},
         packs_fit(g.pixels()) ? gather_batch_kernel<kPack, T> : gather_batch_kernel<1, T>, g);
}

template void gather_batch(Cuda, const GatherBatch<float>&);
template void gather_batch(Cuda, const GatherBatch<double>&);
template void gather_batch(Cuda, const GatherBatch<BFloat16>&);

}  // namespace drape::kernels
