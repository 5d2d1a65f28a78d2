#include "kernels/add.h"

#include "kernels/pack.cuh"

namespace drape::kernels {
namespace {

template <int size, class T>
void add_packs(Cuda cuda, const T* a, const T* b, T* y, std::int64_t count) {
  for_each(cuda, "add", count / size, [=] __device__(std::int64_t i) {
    Pack<T, size> sum = load<size>(a + i * size);
    const Pack<T, size> other = load<size>(b + i * size);
    for (int j = 0; j < size; ++j) sum.value[j] = static_cast<T>(sum.value[j] + other.value[j]);
    store(y + i * size, sum);
  });
}

}  // namespace

template <class T>
void add(Cuda cuda, const T* a, const T* b, T* y, std::int64_t size) {
  packs_fit(size) ? add_packs<kPack>(cuda, a, b, y, size) : add_packs<1>(cuda, a, b, y, size);
}

template void add(Cuda, const float*, const float*, float*, std::int64_t);
template void add(Cuda, const double*, const double*, double*, std::int64_t);
template void add(Cuda, const BFloat16*, const BFloat16*, BFloat16*, std::int64_t);

}  // namespace drape::kernels
