#include "kernels/batch_norm.h"

#include <cmath>

#include "kernels/column_sums.cuh"

namespace drape::kernels {
namespace {

// Two sums per channel.
struct TwoSums {
  double a = 0.0, b = 0.0;
  __device__ void operator+=(const TwoSums& other) { a += other.a, b += other.b; }
};

// The normalisation of one channel, in T, and the bound below which the activation is flat.
template <class T>
struct Channel {
  template <class X>
  __device__ Channel(const BatchNorm<X>& norm, std::int64_t c)
      : mean(norm.mean[c]),
        inverse_std(
            static_cast<T>(1.0 / sqrt(static_cast<double>(norm.variance[c]) + norm.epsilon))),
        scale(norm.gamma[c] * inverse_std),
        beta(norm.beta[c]),
        bound(norm.activation == Activation::relu ? T(0) : -static_cast<T>(INFINITY)) {}

  __device__ T activated(T x) const {
    const T z = (x - mean) * scale + beta;
    return z <= bound ? bound : z;
  }
  // dz from the gradient of the activation's result.
  __device__ T gradient(T x, T dy) const { return (x - mean) * scale + beta <= bound ? T(0) : dy; }

  T mean, inverse_std, scale, beta, bound;
};

// What the dropout multiplies element i with.
template <class T>
__device__ T dropout_factor(const DropoutFactor<T>& factor, const DropoutMask& mask,
                            std::int64_t i) {
  return mask.p == 0.0 ? T(1) : factor.of(mask.drawn().word(static_cast<std::uint64_t>(i)));
}

}  // namespace

template <class T>
void batch_norm_statistics(Cuda cuda, const T* x, std::int64_t rows, std::int64_t channels,
                           Accumulator<T>* mean, Accumulator<T>* variance,
                           const RunningStatistics<T>& running) {
  using Kept = Accumulator<T>;
  // Distances from the first row's value, so that the squares do not cancel.
  const auto term = [=] __device__(std::int64_t m, std::int64_t c) {
    const double d = static_cast<double>(x[m * channels + c]) - static_cast<double>(x[c]);
    return TwoSums{d, d * d};
  };
  const auto count = static_cast<double>(rows);
  column_sums<TwoSums>(
      cuda, "batch_norm_statistics", rows, channels, term,
      [=] __device__(std::int64_t c, const TwoSums& sum) {
        const double m2 = sum.b - sum.a * sum.a / count;
        const double batch_mean = static_cast<double>(x[c]) + sum.a / count;
        const double squares = m2 < 0.0 ? 0.0 : m2;
        const auto update = [=](Kept& value, double batch) {
          const double old = static_cast<double>(value);
          value = static_cast<Kept>((1.0 - running.momentum) * old + running.momentum * batch);
        };
        mean[c] = static_cast<Kept>(batch_mean);
        variance[c] = static_cast<Kept>(squares / count);
        update(running.mean[c], batch_mean);
        update(running.variance[c], squares / (count - 1.0));
      });
}

template <class T>
void batch_norm_forward(Cuda cuda, const BatchNorm<T>& norm, const T* x, T* y) {
  using A = Accumulator<T>;
  const DropoutFactor<A> factor(norm.dropout);
  const std::int64_t size = norm.rows * norm.channels;
  // A thread per Philox block of four elements.
  for_each(cuda, "batch_norm_forward", (size + 3) / 4, [=] __device__(std::int64_t block) {
    std::array<std::uint32_t, 4> words{};
    if (norm.dropout.p > 0.0) words = norm.dropout.drawn().words(static_cast<std::uint64_t>(block));
    for (std::int64_t i = 4 * block; i < size && i < 4 * block + 4; ++i) {
      const A a = Channel<A>(norm, i % norm.channels).activated(x[i]);
      y[i] = static_cast<T>(norm.dropout.p > 0.0 ? a * factor.of(words[i % 4]) : a);
    }
  });
}

template <class T>
void batch_norm_backward(Cuda cuda, const BatchNorm<T>& norm, Statistics statistics, const T* x,
                         const T* dy, T* dx, Accumulator<T>* dgamma, Accumulator<T>* dbeta) {
  using A = Accumulator<T>;
  const DropoutFactor<A> factor(norm.dropout);
  const DeviceBuffer<A> slopes(cuda, norm.channels), shifts(cuda, norm.channels);
  A *slope = slopes.data(), *shift = shifts.data();
  const auto gradient = [=] __device__(const Channel<A>& channel, std::int64_t i) {
    return channel.gradient(x[i], static_cast<A>(dy[i]) * dropout_factor(factor, norm.dropout, i));
  };
  const auto term = [=] __device__(std::int64_t m, std::int64_t c) {
    const std::int64_t i = m * norm.channels + c;
    const Channel<A> channel(norm, c);
    const auto dz = static_cast<double>(gradient(channel, i));
    return TwoSums{dz, dz * static_cast<double>(static_cast<A>(x[i]) - channel.mean)};
  };
  const auto finish = [=] __device__(std::int64_t c, const TwoSums& sum) {
    const Channel<A> channel(norm, c);
    const auto inverse_std = static_cast<double>(channel.inverse_std);
    dbeta[c] = static_cast<A>(sum.a);
    dgamma[c] = static_cast<A>(sum.b * inverse_std);
    const bool moved = statistics == Statistics::batch;
    const double share =
        moved ? static_cast<double>(channel.scale) / static_cast<double>(norm.rows) : 0.0;
    slope[c] = static_cast<A>(share * sum.b * inverse_std * inverse_std);
    shift[c] = static_cast<A>(share * sum.a);
  };
  column_sums<TwoSums>(cuda, "batch_norm_backward_sums", norm.rows, norm.channels, term, finish);
  if (dx == nullptr) return;
  for_each(cuda, "batch_norm_backward", norm.rows * norm.channels, [=] __device__(std::int64_t i) {
    const std::int64_t c = i % norm.channels;
    const Channel<A> channel(norm, c);
    const A centered = static_cast<A>(x[i]) - channel.mean;
    dx[i] = static_cast<T>(channel.scale * gradient(channel, i) - slope[c] * centered - shift[c]);
  });
}

template void batch_norm_statistics(Cuda, const float*, std::int64_t, std::int64_t, float*, float*,
                                    const RunningStatistics<float>&);
template void batch_norm_statistics(Cuda, const double*, std::int64_t, std::int64_t, double*,
                                    double*, const RunningStatistics<double>&);
template void batch_norm_statistics(Cuda, const BFloat16*, std::int64_t, std::int64_t, float*,
                                    float*, const RunningStatistics<BFloat16>&);
template void batch_norm_forward(Cuda, const BatchNorm<float>&, const float*, float*);
template void batch_norm_forward(Cuda, const BatchNorm<double>&, const double*, double*);
template void batch_norm_forward(Cuda, const BatchNorm<BFloat16>&, const BFloat16*, BFloat16*);
template void batch_norm_backward(Cuda, const BatchNorm<float>&, Statistics, const float*,
                                  const float*, float*, float*, float*);
template void batch_norm_backward(Cuda, const BatchNorm<double>&, Statistics, const double*,
                                  const double*, double*, double*, double*);
template void batch_norm_backward(Cuda, const BatchNorm<BFloat16>&, Statistics, const BFloat16*,
                                  const BFloat16*, BFloat16*, float*, float*);

}  // namespace drape::kernels
