#include "kernels/batch_norm.h"

#include <cmath>

#include "kernels/ceil_div.h"
#include "kernels/column_sums.cuh"

namespace drape::kernels {
namespace {

// Two sums per channel.
struct TwoSums {
  double a = 0.0, b = 0.0;
  __device__ void operator+=(const TwoSums& other) { a += other.a, b += other.b; }
};

// A thread that writes takes so many rows of a pack of channels.
constexpr std::int64_t kRowsOfThread = 4;

// The normalisation of one channel, in T, and the bound below which the activation is flat.
template <class T>
struct Channel {
  __device__ T activated(T x) const {
    const T z = (x - mean) * scale + beta;
    return z <= bound ? bound : z;
  }
  // dz from the gradient of the activation's result.
  __device__ T gradient(T x, T dy) const { return (x - mean) * scale + beta <= bound ? T(0) : dy; }

  T mean, inverse_std, scale, beta, bound;
};

// The normalisation of channels c ... c + size - 1.
template <int size, class T>
struct Channels {
  Channel<T> of[size];

  template <class X>
  __device__ Channels(const BatchNorm<X>& norm, std::int64_t c) {
    const Pack<T, size> mean = load<size>(norm.mean + c), variance = load<size>(norm.variance + c);
    const Pack<T, size> gamma = load<size>(norm.gamma + c), beta = load<size>(norm.beta + c);
    const T bound = norm.activation == Activation::relu ? T(0) : -static_cast<T>(INFINITY);
    for (int j = 0; j < size; ++j) {
      const T inverse_std = T(1) / std::sqrt(variance.value[j] + static_cast<T>(norm.epsilon));
      of[j] = {mean.value[j], inverse_std, gamma.value[j] * inverse_std, beta.value[j], bound};
    }
  }
};

// The dropout as a thread applies it: of the stream of this step.
template <class T>
struct Dropout {
  __device__ Dropout(const DropoutFactor<T>& of_kept, const DropoutMask& mask)
      : factor(of_kept), none(mask.p == 0.0), stream(none ? RandomStream{} : mask.drawn()) {}

  DropoutFactor<T> factor;
  bool none;
  RandomStream stream;
};

// What the dropout multiplies elements i ... i + size - 1 with; whole Philox blocks, or one
// element.
template <int size, class T>
struct Factors {
  T of[size];

  __device__ Factors(const Dropout<T>& dropout, std::int64_t i) {
    if (dropout.none) {
      for (T& one : of) one = T(1);
    } else if constexpr (size == 1) {
      of[0] = dropout.factor.of(dropout.stream.word(static_cast<std::uint64_t>(i)));
    } else {
      static_assert(size == 4);
      const auto words = dropout.stream.words(static_cast<std::uint64_t>(i / size));
      for (int j = 0; j < size; ++j) of[j] = dropout.factor.of(words[j]);
    }
  }
};

// The packs that a thread which writes takes: of channels c ... c + size - 1 of kRowsOfThread rows.
// All are read before the first is used, so that their loads overlap.
template <int size, class T>
struct RowPacks {
  Pack<T, size> of[kRowsOfThread];

  __device__ RowPacks(const T* x, std::int64_t first, std::int64_t rows, std::int64_t channels,
                      std::int64_t c) {
    DRAPE_UNROLL(kRowsOfThread)
    for (int r = 0; r < kRowsOfThread; ++r)
      of[r] = load<size>(x + min(first + r, rows - 1) * channels + c);
  }
};

template <int size, class T>
void statistics_of(Cuda cuda, const T* x, std::int64_t rows, std::int64_t channels,
                   Accumulator<T>* mean, Accumulator<T>* variance,
                   const RunningStatistics<T>& running) {
  using Real = Accumulator<T>;
  using Sums = PackSums<TwoSums, size>;
  // Distances from the first row's value, so that the squares do not cancel.
  const auto term = [=] __device__(std::int64_t column) {
    const T* from = x + column * size;
    const Pack<T, size> first = load<size>(from);
    return [&, from, first](std::int64_t m) {
      return [&, here = load<size>(from + m * channels)] {
        Sums sums;
        for (int j = 0; j < size; ++j) {
          const double d = static_cast<double>(here.value[j]) - static_cast<double>(first.value[j]);
          sums.of[j] = {d, d * d};
        }
        return sums;
      };
    };
  };
  const auto count = static_cast<double>(rows);
  const double of_row = 1.0 / count, of_row_but_one = 1.0 / (count - 1.0);
  column_sums<Sums, kRowsAhead<T>>(
      cuda, "batch_norm_statistics", rows, channels / size, term,
      [=] __device__(std::int64_t column, const Sums& sums) {
        const std::int64_t c = column * size;
        const Pack<T, size> first = load<size>(x + c);
        Pack<Real, size> means, variances;
        Pack<Real, size> running_means = load<size>(running.mean + c);
        Pack<Real, size> running_variances = load<size>(running.variance + c);
        const auto update = [=](Real& value, double batch) {
          const double old = static_cast<double>(value);
          value = static_cast<Real>((1.0 - running.momentum) * old + running.momentum * batch);
        };
        for (int j = 0; j < size; ++j) {
          const TwoSums& sum = sums.of[j];
          const double m2 = sum.b - sum.a * sum.a * of_row;
          const double mean_of_batch = static_cast<double>(first.value[j]) + sum.a / count;
          const double squares = m2 < 0.0 ? 0.0 : m2;
          means.value[j] = static_cast<Real>(mean_of_batch);
          variances.value[j] = static_cast<Real>(squares * of_row);
          update(running_means.value[j], mean_of_batch);
          update(running_variances.value[j], squares * of_row_but_one);
        }
        store(mean + c, means);
        store(variance + c, variances);
        store(running.mean + c, running_means);
        store(running.variance + c, running_variances);
      });
}

template <int size, class T>
void forward(Cuda cuda, const BatchNorm<T>& norm, const T* x, T* y) {
  using Real = Accumulator<T>;
  const DropoutFactor<Real> factor(norm.dropout);
  const std::int64_t packs = norm.channels / size;
  const std::int64_t groups = ceil_div(norm.rows, kRowsOfThread);
  for_each(cuda, "batch_norm_forward", groups * packs, [=] __device__(std::int64_t thread) {
    const std::int64_t group = thread / packs, c = (thread - group * packs) * size;
    const std::int64_t first = group * kRowsOfThread;
    RowPacks<size, T> values(x, first, norm.rows, norm.channels, c);
    const Channels<size, Real> channels(norm, c);
    const Dropout<Real> dropout(factor, norm.dropout);
    auto* to = reinterpret_cast<Pack<T, size>*>(y + first * norm.channels + c);
    DRAPE_UNROLL(kRowsOfThread)
    for (int r = 0; r < kRowsOfThread; ++r, to += packs) {
      if (first + r >= norm.rows) continue;
      const Factors<size, Real> factors(dropout, (first + r) * norm.channels + c);
      Pack<T, size>& pack = values.of[r];
      for (int j = 0; j < size; ++j) {
        const Real a = channels.of[j].activated(static_cast<Real>(pack.value[j]));
        pack.value[j] = static_cast<T>(a * factors.of[j]);
      }
      *to = pack;
    }
  });
}

// Gradients of gamma and beta, and what dx subtracts: slope[c] * (x - mean) + shift[c].
template <int size, class T>
void backward_sums(Cuda cuda, const BatchNorm<T>& norm, Statistics statistics, const T* x,
                   const T* dy, Accumulator<T>* slope, Accumulator<T>* shift,
                   Accumulator<T>* dgamma, Accumulator<T>* dbeta) {
  using Real = Accumulator<T>;
  using Sums = PackSums<TwoSums, size>;
  const DropoutFactor<Real> factor(norm.dropout);
  const double of_row =
      statistics == Statistics::batch ? 1.0 / static_cast<double>(norm.rows) : 0.0;
  const auto term = [=] __device__(std::int64_t column) {
    const std::int64_t c = column * size;
    const Channels<size, Real> channels(norm, c);
    const Dropout<Real> dropout(factor, norm.dropout);
    return [&, c, channels, dropout](std::int64_t m) {
      const std::int64_t i = m * norm.channels + c;
      return [&, i, values = load<size>(x + i), gradients = load<size>(dy + i)] {
        const Factors<size, Real> factors(dropout, i);
        Sums sums;
        for (int j = 0; j < size; ++j) {
          const Channel<Real>& channel = channels.of[j];
          const Real value = static_cast<Real>(values.value[j]);
          const auto dz = static_cast<double>(
              channel.gradient(value, static_cast<Real>(gradients.value[j]) * factors.of[j]));
          sums.of[j] = {dz, dz * static_cast<double>(value - channel.mean)};
        }
        return sums;
      };
    };
  };
  const auto finish = [=] __device__(std::int64_t column, const Sums& sums) {
    const Channels<size, Real> channels(norm, column * size);
    for (int j = 0; j < size; ++j) {
      const std::int64_t c = column * size + j;
      const TwoSums& sum = sums.of[j];
      const auto inverse_std = static_cast<double>(channels.of[j].inverse_std);
      dbeta[c] = static_cast<Real>(sum.a);
      dgamma[c] = static_cast<Real>(sum.b * inverse_std);
      const double share = of_row * static_cast<double>(channels.of[j].scale);
      slope[c] = static_cast<Real>(share * sum.b * inverse_std * inverse_std);
      shift[c] = static_cast<Real>(share * sum.a);
    }
  };
  column_sums<Sums, kRowsAhead<T>>(cuda, "batch_norm_backward_sums", norm.rows,
                                   norm.channels / size, term, finish);
}

template <int size, class T>
void backward(Cuda cuda, const BatchNorm<T>& norm, const T* x, const T* dy,
              const Accumulator<T>* slope, const Accumulator<T>* shift, T* dx) {
  using Real = Accumulator<T>;
  const DropoutFactor<Real> factor(norm.dropout);
  const std::int64_t packs = norm.channels / size;
  const std::int64_t groups = ceil_div(norm.rows, kRowsOfThread);
  for_each(cuda, "batch_norm_backward", groups * packs, [=] __device__(std::int64_t thread) {
    const std::int64_t group = thread / packs, c = (thread - group * packs) * size;
    const std::int64_t first = group * kRowsOfThread;
    const RowPacks<size, T> values(x, first, norm.rows, norm.channels, c);
    RowPacks<size, T> gradients(dy, first, norm.rows, norm.channels, c);
    const Pack<Real, size> slopes = load<size>(slope + c), shifts = load<size>(shift + c);
    const Channels<size, Real> channels(norm, c);
    const Dropout<Real> dropout(factor, norm.dropout);
    auto* to = reinterpret_cast<Pack<T, size>*>(dx + first * norm.channels + c);
    DRAPE_UNROLL(kRowsOfThread)
    for (int r = 0; r < kRowsOfThread; ++r, to += packs) {
      if (first + r >= norm.rows) continue;
      const Factors<size, Real> factors(dropout, (first + r) * norm.channels + c);
      Pack<T, size>& pack = gradients.of[r];
      for (int j = 0; j < size; ++j) {
        const Channel<Real>& channel = channels.of[j];
        const Real value = static_cast<Real>(values.of[r].value[j]);
        const Real dz = channel.gradient(value, static_cast<Real>(pack.value[j]) * factors.of[j]);
        pack.value[j] = static_cast<T>(channel.scale * dz -
                                       slopes.value[j] * (value - channel.mean) - shifts.value[j]);
      }
      *to = pack;
    }
  });
}

}  // namespace

template <class T>
void batch_norm_statistics(Cuda cuda, const T* x, std::int64_t rows, std::int64_t channels,
                           Accumulator<T>* mean, Accumulator<T>* variance,
                           const RunningStatistics<T>& running) {
  packs_fit(channels) ? statistics_of<kPack>(cuda, x, rows, channels, mean, variance, running)
                      : statistics_of<1>(cuda, x, rows, channels, mean, variance, running);
}

template <class T>
void batch_norm_forward(Cuda cuda, const BatchNorm<T>& norm, const T* x, T* y) {
  packs_fit(norm.channels) ? forward<kPack>(cuda, norm, x, y) : forward<1>(cuda, norm, x, y);
}

template <class T>
void batch_norm_backward(Cuda cuda, const BatchNorm<T>& norm, Statistics statistics, const T* x,
                         const T* dy, T* dx, Accumulator<T>* dgamma, Accumulator<T>* dbeta) {
  using Real = Accumulator<T>;
  const DeviceBuffer<Real> slope(cuda, norm.channels), shift(cuda, norm.channels);
  Real *slopes = slope.data(), *shifts = shift.data();
  const bool packs = packs_fit(norm.channels);
  packs ? backward_sums<kPack>(cuda, norm, statistics, x, dy, slopes, shifts, dgamma, dbeta)
        : backward_sums<1>(cuda, norm, statistics, x, dy, slopes, shifts, dgamma, dbeta);
  if (dx == nullptr) return;
  packs ? backward<kPack>(cuda, norm, x, dy, slopes, shifts, dx)
        : backward<1>(cuda, norm, x, dy, slopes, shifts, dx);
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
