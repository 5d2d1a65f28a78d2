#include "kernels/add.h"

#include "kernels/parallel.h"

namespace drape::kernels {

template <class T>
void add(Cpu, const T* a, const T* b, T* y, std::int64_t size) {
  parallel_ranges(size, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
  });
}

template void add(Cpu, const float*, const float*, float*, std::int64_t);
template void add(Cpu, const double*, const double*, double*, std::int64_t);

}  // namespace drape::kernels
