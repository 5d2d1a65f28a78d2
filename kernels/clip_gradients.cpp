#include "kernels/clip_gradients.h"

#include <algorithm>

#include "kernels/ceil_div.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr std::int64_t kChunk = 1 << 14;

template <class T>
double sum_of_squares(const Gradient<T>& gradient) {
  const std::int64_t chunks = ceil_div(gradient.size, kChunk);
  Buffer<double> sums(chunks);
  parallel_ranges(chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      const std::int64_t last = std::min(gradient.size, (chunk + 1) * kChunk);
      double sum = 0.0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = chunk * kChunk; i < last; ++i) {
        const double g = static_cast<double>(gradient.wide[i]);
        sum += g * g;
      }
      sums.data()[chunk] = sum;
    }
  });
  double total = 0.0;
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) total += sums.data()[chunk];
  return total;
}

}  // namespace

template <class T>
void clip_gradients(Cpu, std::span<const Gradient<T>> gradients, double limit) {
  double squares = 0.0;
  for (const Gradient<T>& gradient : gradients) squares += sum_of_squares(gradient);
  const double factor = clip_factor(std::sqrt(squares), limit);
  if (factor == 1.0) return;
  for (const Gradient<T>& gradient : gradients) {
    parallel_ranges(gradient.size, kChunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) gradient.wide[i] *= static_cast<T>(factor);
    });
  }
}

template void clip_gradients(Cpu, std::span<const Gradient<float>>, double);
template void clip_gradients(Cpu, std::span<const Gradient<double>>, double);

}  // namespace drape::kernels
