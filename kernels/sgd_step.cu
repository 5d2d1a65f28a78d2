#include "kernels/multi_tensor.cuh"
#include "kernels/sgd_step.h"

namespace drape::kernels {
namespace {

template <class T>
struct SgdRule {
  using Update = T;  // the learning rate
  T decay, momentum;
  bool nesterov;

  __device__ Update prepare(const SgdTensor<T>&, double rate) const { return static_cast<T>(rate); }
  __device__ void apply(const SgdTensor<T>& t, Update rate, std::int64_t i) const {
    T step = t.narrow.gradient(t.g, i) + decay * t.w[i];
    if (t.m != nullptr) {
      const T velocity = t.m[i] = momentum * t.m[i] + step;
      step = nesterov ? step + momentum * velocity : velocity;
    }
    t.w[i] -= rate * step;
    t.narrow.store(t.w[i], i);
  }
  __device__ void finish(const SgdTensor<T>&) const {}
};

}  // namespace

template <class T>
void sgd_step(Cuda cuda, std::span<const SgdTensor<T>> tensors, const SgdOptions& options,
              const OptimizerStep& step) {
  take_step(cuda, "sgd_step", tensors, step,
            SgdRule<T>{static_cast<T>(options.weight_decay), static_cast<T>(options.momentum),
                       options.form == Momentum::nesterov});
}

template void sgd_step(Cuda, std::span<const SgdTensor<float>>, const SgdOptions&,
                       const OptimizerStep&);
template void sgd_step(Cuda, std::span<const SgdTensor<double>>, const SgdOptions&,
                       const OptimizerStep&);

}  // namespace drape::kernels
