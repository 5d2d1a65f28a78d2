// Batch normalisation, Ioffe & Szegedy 2015 (arXiv:1502.03167), Algorithm 1, with the activation
// and the dropout that may follow it in the same pass.
//   z[m,c] = gamma[c] * (x[m,c] - mean[c]) / sqrt(variance[c] + epsilon) + beta[c]
//   y[m,c] = dropout(activation(z[m,c]))
// m runs over all axes but the last. Statistics are taken per channel in fixed parts of rows,
// which are merged in a fixed order: the same bits every time, on the CPU for any number of
// threads.
#pragma once

#include <cstdint>

#include "kernels/activation.h"
#include "kernels/backend.h"
#include "kernels/bfloat16.h"
#include "kernels/dropout.h"

namespace drape::kernels {

/// What makes y from x [rows, channels] of T; every pointer is [channels].
template <class T>
struct BatchNorm {
  std::int64_t rows, channels;
  const Accumulator<T>* mean;      // of the batch or running
  const Accumulator<T>* variance;  // the same, biased
  const Accumulator<T>* gamma;
  const Accumulator<T>* beta;
  double epsilon;
  Activation activation;
  DropoutMask dropout;
};

/// running = (1 - momentum) * running + momentum * batch; the running variance is unbiased.
template <class T>
struct RunningStatistics {
  Accumulator<T>* mean;
  Accumulator<T>* variance;
  double momentum;
};

/// Mean and biased variance of each channel of x [rows, channels], rows >= 2, and the running
/// statistics brought up to date. On the CPU parts are merged as in Chan, Golub & LeVeque 1979
/// ("Updating formulae and a pairwise algorithm for computing sample variances").
template <class T>
void batch_norm_statistics(Cpu, const T* x, std::int64_t rows, std::int64_t channels,
                           Accumulator<T>* mean, Accumulator<T>* variance,
                           const RunningStatistics<T>& running);
template <class T>
void batch_norm_statistics(Cuda, const T* x, std::int64_t rows, std::int64_t channels,
                           Accumulator<T>* mean, Accumulator<T>* variance,
                           const RunningStatistics<T>& running);

/// y from x.
template <class T>
void batch_norm_forward(Cpu, const BatchNorm<T>& norm, const T* x, T* y);
template <class T>
void batch_norm_forward(Cuda, const BatchNorm<T>& norm, const T* x, T* y);

/// Whether mean and variance depend on x.
enum class Statistics { batch, running };

/// With xhat = (x - mean) / sqrt(variance + epsilon), dz = dL/dz and M = rows:
///   dbeta = sum dz     dgamma = sum dz * xhat
///   dx = gamma / sqrt(variance + epsilon) * (dz - dbeta/M - xhat * dgamma/M)    batch statistics
///   dx = gamma / sqrt(variance + epsilon) * dz                                  running statistics
/// dx may be null.
template <class T>
void batch_norm_backward(Cpu, const BatchNorm<T>& norm, Statistics statistics, const T* x,
                         const T* dy, T* dx, Accumulator<T>* dgamma, Accumulator<T>* dbeta);
template <class T>
void batch_norm_backward(Cuda, const BatchNorm<T>& norm, Statistics statistics, const T* x,
                         const T* dy, T* dx, Accumulator<T>* dgamma, Accumulator<T>* dbeta);

}  // namespace drape::kernels
