#include "kernels/dropout.h"

#include "kernels/cuda.cuh"

namespace drape::kernels {

template <class T>
void dropout(Cuda cuda, const DropoutMask& mask, const T* x, T* y, std::int64_t size) {
  const DropoutFactor<Accumulator<T>> factor(mask);
  // A thread per Philox block of four elements.
  for_each(cuda, "dropout", (size + 3) / 4, [=] __device__(std::int64_t block) {
    const auto words = mask.drawn().words(static_cast<std::uint64_t>(block));
    const std::int64_t first = 4 * block;
    for (int j = 0; j < 4 && first + j < size; ++j) {
      y[first + j] = static_cast<T>(x[first + j] * factor.of(words[j]));
    }
  });
}

template void dropout(Cuda, const DropoutMask&, const float*, float*, std::int64_t);
template void dropout(Cuda, const DropoutMask&, const double*, double*, std::int64_t);
template void dropout(Cuda, const DropoutMask&, const BFloat16*, BFloat16*, std::int64_t);

}  // namespace drape::kernels
