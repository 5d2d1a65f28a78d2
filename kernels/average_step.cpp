#include "kernels/average_step.h"

#include "kernels/parallel.h"

namespace drape::kernels {

template <class T>
void average_step(Cpu, std::span<const AverageTensor<T>> tensors, double decay) {
  const T keep = static_cast<T>(decay), take = static_cast<T>(1.0 - decay);
  for (const AverageTensor<T>& tensor : tensors) {
    parallel_ranges(tensor.size, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      T* average = tensor.average;
      const T* value = tensor.value;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) average[i] = keep * average[i] + take * value[i];
    });
  }
}

template void average_step(Cpu, std::span<const AverageTensor<float>>, double);
template void average_step(Cpu, std::span<const AverageTensor<double>>, double);

}  // namespace drape::kernels
