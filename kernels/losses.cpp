#include "kernels/losses.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/ceil_div.h"
#include "kernels/memory.h"
#include "kernels/parallel.h"
#include "kernels/vector_math.h"

namespace drape::kernels {
namespace {

// The losses of some rows, added up; writes their gradients times `weight`.
template <class T>
double softmax_rows(std::int64_t rows, std::int64_t classes, const T* logits, const T* targets,
                    double weight, T* dlogits) {
  Buffer<double> shifted(rows * classes), exponentials(rows * classes);
  for (std::int64_t n = 0; n < rows; ++n) {
    const T* z = logits + n * classes;
    const auto largest = static_cast<double>(*std::max_element(z, z + classes));
    double* const row = shifted.data() + n * classes;
    for (std::int64_t k = 0; k < classes; ++k) row[k] = static_cast<double>(z[k]) - largest;
  }
  for (std::int64_t i = 0; i < rows * classes; ++i) exponentials[i] = vector_exp(shifted[i]);
  double sum = 0.0;
  for (std::int64_t n = 0; n < rows; ++n) {
    const T* t = targets + n * classes;
    const double *z = shifted.data() + n * classes, *e = exponentials.data() + n * classes;
    double normalizer = 0.0, of_targets = 0.0;
    for (std::int64_t k = 0; k < classes; ++k) {
      normalizer += e[k];
      of_targets += static_cast<double>(t[k]);
    }
    const double log_normalizer = std::log(normalizer), factor = of_targets / normalizer;
    T* const dz = dlogits + n * classes;
    for (std::int64_t k = 0; k < classes; ++k) {
      const auto target = static_cast<double>(t[k]);
      sum -= target * (z[k] - log_normalizer);
      dz[k] = static_cast<T>(weight * (e[k] * factor - target));
    }
  }
  return sum;
}

template <class T>
double bce_rows(std::int64_t rows, std::int64_t classes, const T* logits, const T* targets,
                double weight, T* dlogits) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < rows * classes; ++i) {
    const auto z = static_cast<double>(logits[i]), t = static_cast<double>(targets[i]);
    const double tail = vector_exp(-std::abs(z));
    sum += std::max(z, 0.0) - z * t + vector_log1p(tail);
    const double sigmoid = (z < 0.0 ? tail : 1.0) / (1.0 + tail);
    dlogits[i] = static_cast<T>(weight * (sigmoid - t));
  }
  return sum;
}

// loss = weight * sum over rows, of so many at a time that no thread decides how sums are rounded.
template <class T>
void mean_loss(const Loss<T>& loss, double weight, decltype(softmax_rows<T>)* sum_of) {
  const std::int64_t most = std::max<std::int64_t>(1, 2048 / loss.classes);
  RecycledVector<double> sums(static_cast<std::size_t>(ceil_div(loss.rows, most)));
  Buffer<T> unwanted(loss.dlogits == nullptr ? loss.rows * loss.classes : 0);
  T* const dlogits = loss.dlogits == nullptr ? unwanted.data() : loss.dlogits;
  parallel_for(static_cast<std::int64_t>(sums.size()), [&](std::int64_t part) {
    const std::int64_t n = part * most, i = n * loss.classes;
    sums[static_cast<std::size_t>(part)] =
        sum_of(std::min(most, loss.rows - n), loss.classes, loss.logits + i, loss.targets + i,
               weight, dlogits + i);
  });
  const T mean = static_cast<T>(weight * std::accumulate(sums.begin(), sums.end(), 0.0));
  *loss.loss = mean;
  std::int64_t correct = 0;
  for (std::int64_t n = 0; n < loss.rows; ++n) correct += predict(loss, n) ? 1 : 0;
  if (loss.progress != nullptr) loss.progress->add(static_cast<double>(mean), loss.rows, correct);
}

}  // namespace

template <class T>
void softmax_cross_entropy(Cpu, const Loss<T>& loss) {
  mean_loss(loss, 1.0 / static_cast<double>(loss.rows), softmax_rows<T>);
}

template <class T>
void bce_with_logits(Cpu, const Loss<T>& loss) {
  mean_loss(loss, 1.0 / static_cast<double>(loss.rows * loss.classes), bce_rows<T>);
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
