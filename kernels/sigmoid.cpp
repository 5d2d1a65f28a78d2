#include "kernels/sigmoid.h"

#include "kernels/parallel.h"
#include "kernels/vector_math.h"

namespace drape::kernels {
namespace {

constexpr std::int64_t kGrain = 1 << 12;

}  // namespace

template <class T>
void sigmoid_forward(Cpu, const T* x, T* y, std::int64_t size) {
  parallel_ranges(size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      y[i] = static_cast<T>(1.0 / (1.0 + vector_exp(-static_cast<double>(x[i]))));
    }
  });
}

template <class T>
void sigmoid_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t size) {
  parallel_ranges(size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) dx[i] = dy[i] * y[i] * (T(1) - y[i]);
  });
}

template void sigmoid_forward(Cpu, const float*, float*, std::int64_t);
template void sigmoid_forward(Cpu, const double*, double*, std::int64_t);
template void sigmoid_backward(Cpu, const float*, const float*, float*, std::int64_t);
template void sigmoid_backward(Cpu, const double*, const double*, double*, std::int64_t);

}  // namespace drape::kernels
