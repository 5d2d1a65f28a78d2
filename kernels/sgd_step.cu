#include "kernels/multi_tensor.cuh"
#include "kernels/sgd_step.h"

namespace drape::kernels {
namespace {

template <class T>
struct SgdRule {
  using Update = T;  // the learning rate
  struct Element {
    T w, g, m;
  };
  T decay, momentum;
  bool nesterov;

  __device__ Update prepare(const SgdTensor<T>&, double rate) const { return static_cast<T>(rate); }
  __device__ Element load(const SgdTensor<T>& t, std::int64_t i) const {
    return {t.w[i], t.narrow.gradient(t.g, i), t.m == nullptr ? T(0) : t.m[i]};
  }
  __device__ Element applied(Update rate, Element e) const {
    T step = e.g + decay * e.w;
    e.m = momentum * e.m + step;
    step = nesterov ? step + momentum * e.m : e.m;
    e.w -= rate * step;
    return e;
  }
  __device__ void store(const SgdTensor<T>& t, std::int64_t i, const Element& e) const {
    t.w[i] = e.w;
    if (t.m != nullptr) t.m[i] = e.m;
    t.narrow.store(e.w, i);
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
