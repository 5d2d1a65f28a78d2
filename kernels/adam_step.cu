#include "kernels/adam_step.h"

#include "kernels/multi_tensor.cuh"

namespace drape::kernels {
namespace {

template <class T>
struct AdamRule {
  using Update = AdamUpdate<T>;
  AdamOptions options;

  __device__ Update prepare(const AdamTensor<T>& t, double rate) const {
    return Update(options, rate, collect(t.steps) + 1.0);
  }
  __device__ void apply(const AdamTensor<T>& t, const Update& update, std::int64_t i) const {
    update.apply(t.w[i], t.narrow.gradient(t.g, i), t.m[i], t.v[i]);
    t.narrow.store(t.w[i], i);
  }
  __device__ void finish(const AdamTensor<T>& t) const { publish(t.steps, collect(t.steps) + 1.0); }
};

}  // namespace

template <class T>
void adam_step(Cuda cuda, std::span<const AdamTensor<T>> tensors, const AdamOptions& options,
               const OptimizerStep& step) {
  take_step(cuda, "adam_step", tensors, step, AdamRule<T>{options});
}

template void adam_step(Cuda, std::span<const AdamTensor<float>>, const AdamOptions&,
                        const OptimizerStep&);
template void adam_step(Cuda, std::span<const AdamTensor<double>>, const AdamOptions&,
                        const OptimizerStep&);

}  // namespace drape::kernels
