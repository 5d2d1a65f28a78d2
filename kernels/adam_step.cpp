#include "kernels/adam_step.h"

#include <cmath>

#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr std::int64_t kGrain = 1 << 13;

template <class T>
void step(const AdamTensor<T>& tensor, const AdamOptions& options, double learning_rate) {
  const AdamUpdate<T> update(options, learning_rate, tensor.steps);
  parallel_ranges(tensor.size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    T *w = tensor.w, *m = tensor.m, *v = tensor.v;
    const T* gradients = tensor.g;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) update.apply(w[i], gradients[i], m[i], v[i]);
  });
}

}  // namespace

template <class T>
void adam_step(Cpu, std::span<const AdamTensor<T>> tensors, const AdamOptions& options,
               double learning_rate) {
  for (const AdamTensor<T>& tensor : tensors) step(tensor, options, learning_rate);
}

template void adam_step(Cpu, std::span<const AdamTensor<float>>, const AdamOptions&, double);
template void adam_step(Cpu, std::span<const AdamTensor<double>>, const AdamOptions&, double);

}  // namespace drape::kernels
