// Losses of logits [N,K] against targets [N,K], with their gradients in the same pass. Targets are
// probabilities: one-hot labels, or mixtures of them. Sums are taken in double, in order of n and
// k.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace drape::kernels {

/// What a loss reads and writes.
template <class T>
struct Loss {
  std::int64_t rows, classes;
  const T *logits, *targets;  // [rows, classes]
  T* loss;                    // one value: the mean
  T* dlogits;                 // [rows, classes], its gradient; null if not needed
};

/// Softmax cross-entropy: loss = -1/N sum_{n,k} t[n,k] log softmax(z[n])[k], with
///   log softmax(z)[k] = z[k] - max z - log sum_j exp(z[j] - max z)
///   dlogits[n,k] = 1/N (softmax(z[n])[k] sum_j t[n,j] - t[n,k])
template <class T>
void softmax_cross_entropy(Cpu, const Loss<T>& loss);

/// Binary cross-entropy with logits: loss = 1/(N K) sum_{n,k} max(z,0) - z t + log(1 + exp(-|z|))
///   dlogits = 1/(N K) (1 / (1 + exp(-z)) - t)
template <class T>
void bce_with_logits(Cpu, const Loss<T>& loss);

/// y[i] = x[i] * factor[0] for i < size; y may be x.
template <class T>
void scale(Cpu, const T* x, const T* factor, T* y, std::int64_t size);

/// Rows whose largest logit, the first among equals, is that of the label. A row with a NaN never
/// counts, nor does one with a label that is no class.
template <class T>
std::int64_t count_correct(Cpu, const T* logits, const std::uint8_t* labels, std::int64_t rows,
                           std::int64_t classes);

}  // namespace drape::kernels
