#include "kernels/relu.h"

#include "kernels/pack.cuh"

namespace drape::kernels {
namespace {

template <int size, class T>
void forward(Cuda cuda, const T* x, T* y, std::int64_t count) {
  for_each(cuda, "relu_forward", count / size, [=] __device__(std::int64_t i) {
    Pack<T, size> pack = load<size>(x + i * size);
    for (T& value : pack.value) value = value < T(0) ? T(0) : value;
    store(y + i * size, pack);
  });
}

template <int size, class T>
void backward(Cuda cuda, const T* y, const T* dy, T* dx, std::int64_t count) {
  for_each(cuda, "relu_backward", count / size, [=] __device__(std::int64_t i) {
    const Pack<T, size> results = load<size>(y + i * size);
    Pack<T, size> gradients = load<size>(dy + i * size);
    for (int j = 0; j < size; ++j) {
      if (!(results.value[j] > T(0))) gradients.value[j] = T(0);
    }
    store(dx + i * size, gradients);
  });
}

}  // namespace

template <class T>
void relu_forward(Cuda cuda, const T* x, T* y, std::int64_t size) {
  packs_fit(size) ? forward<kPack>(cuda, x, y, size) : forward<1>(cuda, x, y, size);
}

template <class T>
void relu_backward(Cuda cuda, const T* y, const T* dy, T* dx, std::int64_t size) {
  packs_fit(size) ? backward<kPack>(cuda, y, dy, dx, size) : backward<1>(cuda, y, dy, dx, size);
}

template void relu_forward(Cuda, const float*, float*, std::int64_t);
template void relu_forward(Cuda, const double*, double*, std::int64_t);
template void relu_forward(Cuda, const BFloat16*, BFloat16*, std::int64_t);
template void relu_backward(Cuda, const float*, const float*, float*, std::int64_t);
template void relu_backward(Cuda, const double*, const double*, double*, std::int64_t);
template void relu_backward(Cuda, const BFloat16*, const BFloat16*, BFloat16*, std::int64_t);

}  // namespace drape::kernels
