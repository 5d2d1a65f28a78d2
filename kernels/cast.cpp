#include "kernels/cast.h"

#include "kernels/parallel.h"

namespace drape::kernels {

template <class From, class To>
void cast(Cpu, const From* x, To* y, std::int64_t size) {
  parallel_ranges(size, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      y[i] = static_cast<To>(static_cast<Accumulator<To>>(x[i]));
    }
  });
}

template void cast(Cpu, const float*, double*, std::int64_t);
template void cast(Cpu, const double*, float*, std::int64_t);
template void cast(Cpu, const float*, BFloat16*, std::int64_t);
template void cast(Cpu, const BFloat16*, float*, std::int64_t);
template void cast(Cpu, const double*, BFloat16*, std::int64_t);
template void cast(Cpu, const BFloat16*, double*, std::int64_t);

}  // namespace drape::kernels
