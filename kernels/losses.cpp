#include "kernels/losses.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/vector_math.h"

namespace drape::kernels {
namespace {

// The loss of one row; writes its gradient times `weight` unless dz is null.
template <class T>
double softmax_row(const T* z, const T* t, std::int64_t classes, double weight, T* dz) {
  const auto largest = static_cast<double>(*std::max_element(z, z + classes));
  double exponentials = 0.0, targets = 0.0;
#pragma omp simd reduction(+ : exponentials, targets)
  for (std::int64_t k = 0; k < classes; ++k) {
    exponentials += vector_exp(static_cast<double>(z[k]) - largest);
    targets += static_cast<double>(t[k]);
  }
  const double normalizer = largest + std::log(exponentials);
  double loss = 0.0;
#pragma omp simd reduction(+ : loss)
  for (std::int64_t k = 0; k < classes; ++k) {
    const double log_softmax = static_cast<double>(z[k]) - normalizer;
    const auto target = static_cast<double>(t[k]);
    loss -= target * log_softmax;
    if (dz != nullptr)
      dz[k] = static_cast<T>(weight * (vector_exp(log_softmax) * targets - target));
  }
  return loss;
}

template <class T>
double bce_row(const T* logits, const T* targets, std::int64_t classes, double weight, T* dz) {
  double loss = 0.0;
#pragma omp simd reduction(+ : loss)
  for (std::int64_t k = 0; k < classes; ++k) {
    const auto z = static_cast<double>(logits[k]), t = static_cast<double>(targets[k]);
    const double tail = vector_exp(-std::abs(z));
    loss += std::max(z, 0.0) - z * t + vector_log1p(tail);
    const double sigmoid = (z < 0.0 ? tail : 1.0) / (1.0 + tail);
    if (dz != nullptr) dz[k] = static_cast<T>(weight * (sigmoid - t));
  }
  return loss;
}

// loss = weight * sum over rows of row(z, t, classes, weight, dz).
template <class T, class Row>
void mean_loss(const Loss<T>& loss, double weight, Row&& row) {
  RecycledVector<double> losses(static_cast<std::size_t>(loss.rows));
  const std::int64_t grain = std::max<std::int64_t>(1, 2048 / loss.classes);
  parallel_ranges(loss.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const std::int64_t i = n * loss.classes;
      losses[static_cast<std::size_t>(n)] =
          row(loss.logits + i, loss.targets + i, loss.classes, weight,
              loss.dlogits == nullptr ? nullptr : loss.dlogits + i);
    }
  });
  const T mean = static_cast<T>(weight * std::accumulate(losses.begin(), losses.end(), 0.0));
  *loss.loss = mean;
  std::int64_t correct = 0;
  for (std::int64_t n = 0; n < loss.rows; ++n) correct += predict(loss, n) ? 1 : 0;
  if (loss.progress != nullptr) loss.progress->add(static_cast<double>(mean), loss.rows, correct);
}

}  // namespace

template <class T>
void softmax_cross_entropy(Cpu, const Loss<T>& loss) {
  mean_loss(loss, 1.0 / static_cast<double>(loss.rows), softmax_row<T>);
}

template <class T>
void bce_with_logits(Cpu, const Loss<T>& loss) {
  mean_loss(loss, 1.0 / static_cast<double>(loss.rows * loss.classes), bce_row<T>);
}

template <class T>
void scale(Cpu, const T* x, const Accumulator<T>* factor, T* y, std::int64_t size) {
  const T by = *factor;
  parallel_ranges(size, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] * by;
  });
}

template void softmax_cross_entropy(Cpu, const Loss<float>&);
template void softmax_cross_entropy(Cpu, const Loss<double>&);
template void bce_with_logits(Cpu, const Loss<float>&);
template void bce_with_logits(Cpu, const Loss<double>&);
template void scale(Cpu, const float*, const float*, float*, std::int64_t);
template void scale(Cpu, const double*, const double*, double*, std::int64_t);

}  // namespace drape::kernels
