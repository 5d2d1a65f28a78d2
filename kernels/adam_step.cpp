#include "kernels/adam_step.h"

#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr std::int64_t kGrain = 1 << 13;

template <class T>
void update(const AdamTensor<T>& tensor, const AdamOptions& options, double rate) {
  const AdamUpdate<T> update(options, rate, ++*tensor.steps);
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
               const OptimizerStep& step) {
  take_step(tensors, step,
            [&](const AdamTensor<T>& tensor, double rate) { update(tensor, options, rate); });
}

template void adam_step(Cpu, std::span<const AdamTensor<float>>, const AdamOptions&,
                        const OptimizerStep&);
template void adam_step(Cpu, std::span<const AdamTensor<double>>, const AdamOptions&,
                        const OptimizerStep&);

}  // namespace drape::kernels
