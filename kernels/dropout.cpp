#include "kernels/dropout.h"

#include "kernels/dropout_range.h"
#include "kernels/parallel.h"

namespace drape::kernels {

template <class T>
void dropout(Cpu, const DropoutMask& mask, const T* x, T* y, std::int64_t size) {
  constexpr std::int64_t kGrain = 1 << 12;  // Philox blocks of four elements
  parallel_ranges((size + 3) / 4, kGrain, [&](std::int64_t begin, std::int64_t end) {
    dropout_range(mask, 4 * begin, std::min(4 * end, size), x + 4 * begin, y + 4 * begin);
  });
}

template void dropout(Cpu, const DropoutMask&, const float*, float*, std::int64_t);
template void dropout(Cpu, const DropoutMask&, const double*, double*, std::int64_t);

}  // namespace drape::kernels
