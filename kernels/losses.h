// Losses of logits [N,K] against targets [N,K], with their gradients in the same pass. Targets are
// probabilities: one-hot labels, or mixtures of them. Sums are taken in double, in order of n and
// k.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/host_device.h"

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
template <class T>
void softmax_cross_entropy(Cuda, const Loss<T>& loss);

/// Binary cross-entropy with logits: loss = 1/(N K) sum_{n,k} max(z,0) - z t + log(1 + exp(-|z|))
///   dlogits = 1/(N K) (1 / (1 + exp(-z)) - t)
template <class T>
void bce_with_logits(Cpu, const Loss<T>& loss);
template <class T>
void bce_with_logits(Cuda, const Loss<T>& loss);

/// y[i] = x[i] * factor[0] for i < size; y may be x.
template <class T>
void scale(Cpu, const T* x, const T* factor, T* y, std::int64_t size);
template <class T>
void scale(Cuda, const T* x, const T* factor, T* y, std::int64_t size);

/// Whether z[label] is the first largest of the classes.
template <class T>
DRAPE_HOST_DEVICE bool is_first_largest(const T* z, std::int64_t classes, std::int64_t label) {
  if (label >= classes) return false;
  for (std::int64_t k = 0; k < classes; ++k) {
    if (!(k < label ? z[label] > z[k] : z[label] >= z[k])) return false;
  }
  return true;
}

/// Rows whose largest logit, the first among equals, is that of the label. A row with a NaN never
/// counts, nor does one with a label that is no class.
template <class T>
std::int64_t count_correct(Cpu, const T* logits, const std::uint8_t* labels, std::int64_t rows,
                           std::int64_t classes);
template <class T>
std::int64_t count_correct(Cuda, const T* logits, const std::uint8_t* labels, std::int64_t rows,
                           std::int64_t classes);

}  // namespace drape::kernels
