#include "kernels/add.h"

#include "kernels/cuda.cuh"

namespace drape::kernels {

template <class T>
void add(Cuda cuda, const T* a, const T* b, T* y, std::int64_t size) {
  for_each(cuda, "add", size,
           [=] __device__(std::int64_t i) { y[i] = static_cast<T>(a[i] + b[i]); });
}

template void add(Cuda, const float*, const float*, float*, std::int64_t);
template void add(Cuda, const double*, const double*, double*, std::int64_t);
template void add(Cuda, const BFloat16*, const BFloat16*, BFloat16*, std::int64_t);

}  // namespace drape::kernels
