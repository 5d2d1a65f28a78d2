#include "kernels/relu.h"

#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr std::int64_t kGrain = 1 << 15;

}  // namespace

template <class T>
void relu_forward(Cpu, const T* x, T* y, std::int64_t size) {
  parallel_ranges(size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] < T(0) ? T(0) : x[i];
  });
}

template <class T>
void relu_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t size) {
  parallel_ranges(size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const T gradient = dy[i];  // read in any case: no branch
      dx[i] = y[i] > T(0) ? gradient : T(0);
    }
  });
}

template void relu_forward(Cpu, const float*, float*, std::int64_t);
template void relu_forward(Cpu, const double*, double*, std::int64_t);
template void relu_backward(Cpu, const float*, const float*, float*, std::int64_t);
template void relu_backward(Cpu, const double*, const double*, double*, std::int64_t);

}  // namespace drape::kernels
