#include "kernels/adam_step.h"

#include "kernels/multi_tensor.cuh"

namespace drape::kernels {
namespace {

template <class T>
struct AdamRule {
  using Update = AdamUpdate<T>;
  struct Element {
    T w, g, m, v;
  };
  AdamOptions options;

  __device__ Update prepare(const AdamTensor<T>& t, double rate) const {
    return Update(options, rate, collect(t.steps) + 1.0);
  }
  __device__ Element load(const AdamTensor<T>& t, std::int64_t i) const {
    return {t.w[i], t.narrow.gradient(t.g, i), t.m[i], t.v[i]};
  }
  __device__ Element applied(const Update& update, Element element) const {
    update.apply(element.w, element.g, element.m, element.v);
    return element;
  }
  __device__ void store(const AdamTensor<T>& t, std::int64_t i, const Element& element) const {
    t.w[i] = element.w, t.m[i] = element.m, t.v[i] = element.v;
    t.narrow.store(element.w, i);
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
