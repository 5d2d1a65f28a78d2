#include "kernels/dropout.h"

#include "kernels/pack.cuh"

namespace drape::kernels {
namespace {

// A thread per Philox block of four elements; `size` of them lie on bounds.
template <int size, class T>
void dropout_packs(Cuda cuda, const DropoutMask& mask, const T* x, T* y, std::int64_t count) {
  const DropoutFactor<Accumulator<T>> factor(mask);
  for_each(cuda, "dropout", (count + 3) / 4, [=] __device__(std::int64_t block) {
    const auto words = mask.drawn().words(static_cast<std::uint64_t>(block));
    for (int part = 0; part < 4; part += size) {
      const std::int64_t i = 4 * block + part;
      if (i >= count) return;
      Pack<T, size> pack = load<size>(x + i);
      for (int j = 0; j < size; ++j)
        pack.value[j] = static_cast<T>(pack.value[j] * factor.of(words[part + j]));
      store(y + i, pack);
    }
  });
}

}  // namespace

template <class T>
void dropout(Cuda cuda, const DropoutMask& mask, const T* x, T* y, std::int64_t size) {
  packs_fit(size) ? dropout_packs<kPack>(cuda, mask, x, y, size)
                  : dropout_packs<1>(cuda, mask, x, y, size);
}

template void dropout(Cuda, const DropoutMask&, const float*, float*, std::int64_t);
template void dropout(Cuda, const DropoutMask&, const double*, double*, std::int64_t);
template void dropout(Cuda, const DropoutMask&, const BFloat16*, BFloat16*, std::int64_t);

}  // namespace drape::kernels
