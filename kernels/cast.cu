#include "kernels/cast.h"

#include "kernels/cuda.cuh"

namespace drape::kernels {

template <class From, class To>
void cast(Cuda cuda, const From* x, To* y, std::int64_t size) {
  for_each(cuda, "cast", size, [=] __device__(std::int64_t i) {
    y[i] = static_cast<To>(static_cast<Accumulator<To>>(x[i]));
  });
}

template void cast(Cuda, const float*, double*, std::int64_t);
template void cast(Cuda, const double*, float*, std::int64_t);
template void cast(Cuda, const float*, BFloat16*, std::int64_t);
template void cast(Cuda, const BFloat16*, float*, std::int64_t);
template void cast(Cuda, const double*, BFloat16*, std::int64_t);
template void cast(Cuda, const BFloat16*, double*, std::int64_t);

}  // namespace drape::kernels
