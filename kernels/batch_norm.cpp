#include "kernels/batch_norm.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/dropout_range.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"

namespace drape::kernels {
namespace {

constexpr std::int64_t kStrip = 16;

// Chunks that sums over rows are cut into, about 2^13 elements each or more: by shape alone.
std::int64_t chunk_count(std::int64_t rows, std::int64_t channels) {
  return std::clamp<std::int64_t>(rows * channels >> 13, 1, std::min<std::int64_t>(rows, 64));
}

// Mean and sum of squared distances from it, of `count` rows, per channel.
struct Moments {
  explicit Moments(std::int64_t channels) : mean(channels), m2(channels) {}

  // Takes in the moments of other rows.
  void merge(const Moments& other) {
    const auto a = static_cast<double>(count), b = static_cast<double>(other.count);
    for (std::size_t c = 0; c < mean.size(); ++c) {
      const double delta = other.mean[c] - mean[c];
      mean[c] += delta * b / (a + b);
      m2[c] += other.m2[c] + delta * delta * a * b / (a + b);
    }
    count += other.count;
  }

  std::int64_t count = 0;
  RecycledVector<double> mean, m2;
};

// Calls body(c, width) for strips [c, c + width) of channels whose sums stay in registers. All but
// the last know their width when they are compiled.
template <class Body>
void for_strips(std::int64_t channels, Body&& body) {
  std::int64_t c = 0;
  for (; c + kStrip <= channels; c += kStrip) {
    body(c, std::integral_constant<std::int64_t, kStrip>());
  }
  if (c < channels) body(c, channels - c);
}

template <class T>
Moments moments_of_rows(const T* x, std::int64_t rows, std::int64_t channels) {
  Moments moments(channels);
  moments.count = rows;
  for_strips(channels, [&](std::int64_t strip, auto width) {
    double mean[kStrip] = {}, m2[kStrip] = {};
    const T *begin = x + strip, *end = begin + rows * channels;
    for (const T* row = begin; row < end; row += channels) {
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) mean[c] += static_cast<double>(row[c]);
    }
    for (double& value : mean) value /= static_cast<double>(rows);
    for (const T* row = begin; row < end; row += channels) {
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) {
        const double distance = static_cast<double>(row[c]) - mean[c];
        m2[c] += distance * distance;
      }
    }
    std::copy_n(mean, std::int64_t{width}, moments.mean.data() + strip);
    std::copy_n(m2, std::int64_t{width}, moments.m2.data() + strip);
  });
  return moments;
}

// Per channel: z = (x - mean) * scale + beta, xhat = (x - mean) * inverse_std.
template <class T>
struct Affine {
  explicit Affine(const BatchNorm<T>& norm) : inverse_std(norm.channels), scale(norm.channels) {
    for (std::size_t c = 0; c < scale.size(); ++c) {
      const double variance = static_cast<double>(norm.variance[c]);
      inverse_std[c] = static_cast<T>(1.0 / std::sqrt(variance + norm.epsilon));
      scale[c] = norm.gamma[c] * inverse_std[c];
    }
  }
  RecycledVector<T> inverse_std, scale;
};

// An activation as a bound: y = z if z > lower_bound, else lower_bound.
template <class T>
T lower_bound(Activation activation) {
  return activation == Activation::relu ? T(0) : -std::numeric_limits<T>::infinity();
}

// Calls body(m, rows) for blocks of rows that fit into the first-level cache.
template <class Body>
void for_blocks(Range rows, std::int64_t channels, Body&& body) {
  const std::int64_t block = std::max<std::int64_t>(1, 2048 / channels);
  for (std::int64_t m = rows.begin; m < rows.end; m += block) {
    body(m, std::min(block, rows.end - m));
  }
}

// Sums over rows, per channel.
struct Sums {
  explicit Sums(std::int64_t channels) : dz(channels), dz_x(channels) {}
  RecycledVector<double> dz, dz_x;  // of dz, and of dz * (x - mean)
};

// The gradient of the activation's result is dy or, through dropout, what is left in `undropped`.
template <class T>
Sums sums_of_rows(const BatchNorm<T>& norm, const Affine<T>& affine, Range range, const T* x,
                  const T* dy, T* undropped) {
  Sums sums(norm.channels);
  const T bound = lower_bound<T>(norm.activation);
  for_blocks(range, norm.channels, [&](std::int64_t m, std::int64_t rows) {
    const std::int64_t first = m * norm.channels, last = (m + rows) * norm.channels;
    const T* dy_block = dy + first;
    if (norm.dropout.p > 0.0) {
      dropout_range(norm.dropout, first, last, dy_block, undropped + first);
      dy_block = undropped + first;
    }
    for_strips(norm.channels, [&](std::int64_t strip, auto width) {
      double sum_dz[kStrip] = {}, sum_dz_x[kStrip] = {};
      const T *mean = norm.mean + strip, *beta = norm.beta + strip;
      const T* scale = affine.scale.data() + strip;
      const T *x_row = x + first + strip, *dy_row = dy_block + strip;
      for (std::int64_t i = 0; i < rows; ++i, x_row += norm.channels, dy_row += norm.channels) {
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) {
          const T distance = x_row[c] - mean[c], gradient = dy_row[c];
          const T dz = distance * scale[c] + beta[c] <= bound ? T(0) : gradient;
          sum_dz[c] += static_cast<double>(dz);
          sum_dz_x[c] += static_cast<double>(dz) * static_cast<double>(distance);
        }
      }
      for (std::int64_t c = 0; c < width; ++c) {
        sums.dz[static_cast<std::size_t>(strip + c)] += sum_dz[c];
        sums.dz_x[static_cast<std::size_t>(strip + c)] += sum_dz_x[c];
      }
    });
  });
  return sums;
}

// dx of a range of rows: dx = scale * dz - slope * (x - mean) - shift. It may lie where dy does.
template <class T>
void gradient_of_x(const BatchNorm<T>& norm, const Affine<T>& affine,
                   const RecycledVector<T>& slope, const RecycledVector<T>& shift, Range range,
                   const T* x, const T* dy, T* dx) {
  const T *mean = norm.mean, *beta = norm.beta, *scale = affine.scale.data();
  const T *slopes = slope.data(), *shifts = shift.data();
  const T bound = lower_bound<T>(norm.activation);
  for (std::int64_t m = range.begin; m < range.end; ++m) {
    const T *x_row = x + m * norm.channels, *dy_row = dy + m * norm.channels;
    T* dx_row = dx + m * norm.channels;
#pragma omp simd
    for (std::int64_t c = 0; c < norm.channels; ++c) {
      const T distance = x_row[c] - mean[c], gradient = dy_row[c];
      const T dz = distance * scale[c] + beta[c] <= bound ? T(0) : gradient;
      dx_row[c] = scale[c] * dz - slopes[c] * distance - shifts[c];
    }
  }
}

// Rows that one task of elementwise work should take.
std::int64_t row_grain(std::int64_t channels) {
  return std::max<std::int64_t>(1, (1 << 14) / channels);
}

}  // namespace

template <class T>
void batch_norm_statistics(Cpu, const T* x, std::int64_t rows, std::int64_t channels,
                           Accumulator<T>* mean, Accumulator<T>* variance,
                           const RunningStatistics<T>& running) {
  const std::int64_t chunks = chunk_count(rows, channels);
  RecycledVector<Moments> moments(static_cast<std::size_t>(chunks), Moments(channels));
  parallel_for(chunks, [&](std::int64_t chunk) {
    const Range range = part(rows, chunks, chunk);
    moments[static_cast<std::size_t>(chunk)] =
        moments_of_rows(x + range.begin * channels, range.size(), channels);
  });
  Moments total(channels);
  for (const Moments& chunk : moments) total.merge(chunk);
  for (std::size_t c = 0; c < total.mean.size(); ++c) {
    const double unbiased = total.m2[c] / static_cast<double>(rows - 1);
    mean[c] = static_cast<T>(total.mean[c]);
    variance[c] = static_cast<T>(total.m2[c] / static_cast<double>(rows));
    const auto update = [&](T& value, double batch) {
      const double old = static_cast<double>(value);
      value = static_cast<T>((1.0 - running.momentum) * old + running.momentum * batch);
    };
    update(running.mean[c], total.mean[c]);
    update(running.variance[c], unbiased);
  }
}

template <class T>
void batch_norm_forward(Cpu, const BatchNorm<T>& norm, const T* x, T* y) {
  const Affine<T> affine(norm);
  const T bound = lower_bound<T>(norm.activation);
  const T *mean = norm.mean, *beta = norm.beta, *scale = affine.scale.data();
  const std::int64_t channels = norm.channels;
  parallel_ranges(norm.rows, row_grain(channels), [&](std::int64_t begin, std::int64_t end) {
    for_blocks({begin, end}, channels, [&](std::int64_t m, std::int64_t rows) {
      const std::int64_t first = m * channels, last = (m + rows) * channels;
      for (std::int64_t i = first; i < last; i += channels) {
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
          const T z = (x[i + c] - mean[c]) * scale[c] + beta[c];
          y[i + c] = z <= bound ? bound : z;
        }
      }
      if (norm.dropout.p > 0.0) dropout_range(norm.dropout, first, last, y + first, y + first);
    });
  });
}

template <class T>
void batch_norm_backward(Cpu, const BatchNorm<T>& norm, Statistics statistics, const T* x,
                         const T* dy, T* dx, Accumulator<T>* dgamma, Accumulator<T>* dbeta) {
  const Affine<T> affine(norm);
  const std::int64_t chunks = chunk_count(norm.rows, norm.channels);
  const bool drops = norm.dropout.p > 0.0;
  Buffer<T> spare(drops && dx == nullptr ? norm.rows * norm.channels : 0);
  T* undropped = dx == nullptr ? spare.data() : dx;
  RecycledVector<Sums> sums(static_cast<std::size_t>(chunks), Sums(0));
  parallel_for(chunks, [&](std::int64_t chunk) {
    sums[static_cast<std::size_t>(chunk)] =
        sums_of_rows(norm, affine, part(norm.rows, chunks, chunk), x, dy, undropped);
  });
  RecycledVector<T> slope(affine.scale.size()), shift(affine.scale.size());
  for (std::size_t c = 0; c < slope.size(); ++c) {
    double sum_dz = 0.0, sum_dz_x = 0.0;
    for (const Sums& chunk : sums) sum_dz += chunk.dz[c], sum_dz_x += chunk.dz_x[c];
    const double inverse_std = static_cast<double>(affine.inverse_std[c]);
    dbeta[c] = static_cast<T>(sum_dz);
    dgamma[c] = static_cast<T>(sum_dz_x * inverse_std);
    if (statistics == Statistics::running) continue;
    const double share = static_cast<double>(affine.scale[c]) / static_cast<double>(norm.rows);
    slope[c] = static_cast<T>(share * sum_dz_x * inverse_std * inverse_std);
    shift[c] = static_cast<T>(share * sum_dz);
  }
  if (dx == nullptr) return;
  parallel_ranges(norm.rows, row_grain(norm.channels), [&](std::int64_t begin, std::int64_t end) {
    gradient_of_x(norm, affine, slope, shift, {begin, end}, x, drops ? dx : dy, dx);
  });
}

template void batch_norm_statistics(Cpu, const float*, std::int64_t, std::int64_t, float*, float*,
                                    const RunningStatistics<float>&);
template void batch_norm_statistics(Cpu, const double*, std::int64_t, std::int64_t, double*,
                                    double*, const RunningStatistics<double>&);
template void batch_norm_forward(Cpu, const BatchNorm<float>&, const float*, float*);
template void batch_norm_forward(Cpu, const BatchNorm<double>&, const double*, double*);
template void batch_norm_backward(Cpu, const BatchNorm<float>&, Statistics, const float*,
                                  const float*, float*, float*, float*);
template void batch_norm_backward(Cpu, const BatchNorm<double>&, Statistics, const double*,
                                  const double*, double*, double*, double*);

}  // namespace drape::kernels
