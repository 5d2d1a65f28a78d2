// Parameters in bf16 whose weights are kept in f32 as well: what training of many small steps
// needs, Micikevicius et al. 2018 (arXiv:1710.03740), section 3.1.
#pragma once

#include <cstdint>

#include "kernels/bfloat16.h"

namespace drape::kernels {

/// What a model computes with, and the gradient that it gets from that: on CUDA; null if the
/// weights themselves are used.
struct Narrow {
  BFloat16* w = nullptr;
  const BFloat16* g = nullptr;

  /// Element i of the gradient, of which `wide` is the one without narrow weights.
  template <class T>
  DRAPE_HOST_DEVICE T gradient(const T* wide, std::int64_t i) const {
    return g == nullptr ? wide[i] : static_cast<T>(static_cast<float>(g[i]));
  }
  /// Rounds element i of the weights.
  template <class T>
  DRAPE_HOST_DEVICE void store(T weight, std::int64_t i) const {
    if (w != nullptr) w[i] = BFloat16(static_cast<float>(weight));
  }
};

}  // namespace drape::kernels
