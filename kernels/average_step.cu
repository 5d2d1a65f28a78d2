#include "kernels/average_step.h"
#include "kernels/multi_tensor.cuh"

namespace drape::kernels {
namespace {

template <class T>
struct AverageRule {
  using Update = T;  // nothing
  struct Element {
    T average, value;
  };
  T keep, take;

  __device__ Update prepare(const AverageTensor<T>&, double) const { return T(0); }
  __device__ Element load(const AverageTensor<T>& t, std::int64_t i) const {
    return {t.average[i], t.value[i]};
  }
  __device__ Element applied(Update, Element e) const {
    return {keep * e.average + take * e.value, e.value};
  }
  __device__ void store(const AverageTensor<T>& t, std::int64_t i, const Element& e) const {
    t.average[i] = e.average;
  }
  __device__ void finish(const AverageTensor<T>&) const {}
};

}  // namespace

template <class T>
void average_step(Cuda cuda, std::span<const AverageTensor<T>> tensors, double decay) {
  take_step(cuda, "average_step", tensors, {},
            AverageRule<T>{static_cast<T>(decay), static_cast<T>(1.0 - decay)});
}

template void average_step(Cuda, std::span<const AverageTensor<float>>, double);
template void average_step(Cuda, std::span<const AverageTensor<double>>, double);

}  // namespace drape::kernels
