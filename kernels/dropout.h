// Dropout, Srivastava et al. 2014 ("Dropout: a simple way to prevent neural networks from
// overfitting"), in its inverted form: kept elements are scaled up, so that eval needs nothing.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/philox.h"

namespace drape::kernels {

/// Which elements are dropped. p, 0 <= p < 1, is the probability to DROP; element i is kept iff
/// stream.uniform(i) >= p. The mask is never stored: backward draws it again.
struct DropoutMask {
  double p = 0.0;
  RandomStream stream = {};
  /// Streams that earlier steps took, in the memory of the device that draws; null: none.
  const std::uint64_t* taken = nullptr;

  /// The stream of this step; to be called there.
  DRAPE_HOST_DEVICE RandomStream drawn() const { return stream.moved(taken); }
};

/// What a mask multiplies an element with: 0 if it is dropped, else 1 / (1 - p).
template <class T>
struct DropoutFactor {
  explicit DropoutFactor(const DropoutMask& mask)
      : threshold(static_cast<std::uint32_t>(std::ceil(mask.p * 0x1p24))),
        scale(static_cast<T>(1.0 / (1.0 - mask.p))) {}

  /// (word >> 8) * 2^-24 >= p, in whole numbers.
  DRAPE_HOST_DEVICE T of(std::uint32_t word) const {
    return (word >> 8) >= threshold ? scale : T(0);
  }

  std::uint32_t threshold;
  T scale;
};

/// y[i] = x[i] / (1 - p) if element i is kept, else x[i] * 0, for i < size. y may be x. Its own
/// gradient: dx is the same function of dy.
template <class T>
void dropout(Cpu, const DropoutMask& mask, const T* x, T* y, std::int64_t size);
template <class T>
void dropout(Cuda, const DropoutMask& mask, const T* x, T* y, std::int64_t size);

}  // namespace drape::kernels
