// Losses of logits [N,K] against targets [N,K], with their gradients in the same pass. Targets are
// probabilities: one-hot labels, or mixtures of them. Sums are taken in double, in a fixed order.
// Predictions, and the progress of a run, are looked after on the way.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/bfloat16.h"
#include "kernels/host_device.h"
#include "kernels/progress.h"

namespace drape::kernels {

/// What a loss reads and writes; all but the first four may be null.
template <class T>
struct Loss {
  std::int64_t rows, classes;
  const T* logits;                // [rows, classes]
  const Accumulator<T>* targets;  // [rows, classes]
  Accumulator<T>* loss;           // one value: the mean
  T* dlogits;                     // [rows, classes], its gradient
  const std::uint8_t* labels;     // [rows], what a right prediction is
  std::int32_t* predictions;      // [rows], predicted_class()
  Progress* progress;             // takes in the loss and the number of right predictions
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
void scale(Cpu, const T* x, const Accumulator<T>* factor, T* y, std::int64_t size);
template <class T>
void scale(Cuda, const T* x, const Accumulator<T>* factor, T* y, std::int64_t size);

/// The class with the largest logit, the first among equals; -1 if a logit is NaN.
template <class T>
DRAPE_HOST_DEVICE std::int32_t predicted_class(const T* z, std::int64_t classes) {
  std::int64_t best = 0;
  bool numbers = true;
  for (std::int64_t k = 0; k < classes; ++k) {
    numbers = numbers && z[k] == z[k];
    best = z[k] > z[best] ? k : best;
  }
  return numbers ? static_cast<std::int32_t>(best) : -1;
}

/// Predicts row n; whether that is right.
template <class T>
DRAPE_HOST_DEVICE bool predict(const Loss<T>& loss, std::int64_t n) {
  if (loss.labels == nullptr && loss.predictions == nullptr) return false;
  const std::int32_t predicted = predicted_class(loss.logits + n * loss.classes, loss.classes);
  if (loss.predictions != nullptr) loss.predictions[n] = predicted;
  return loss.labels != nullptr && predicted == loss.labels[n];
}

}  // namespace drape::kernels
