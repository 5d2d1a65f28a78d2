// Clipping of gradients by their norm, Pascanu et al. 2013 (arXiv:1211.5063), Algorithm 1, over all
// parameters at once:
//   norm = sqrt(sum over tensors and elements of g^2)     g *= min(1, limit / (norm + 1e-6))
// as in PyTorch. Squares are added up in double in a fixed order: the same bits for any number of
// threads.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/backend.h"
#include "kernels/bfloat16.h"

namespace drape::kernels {

/// The gradient of one parameter.
template <class T>
struct Gradient {
  T* wide;           // null if the parameter is narrow
  BFloat16* narrow;  // on CUDA, of a parameter in bf16; else null
  std::int64_t size;

  DRAPE_HOST_DEVICE double at(std::int64_t i) const {
    return narrow == nullptr ? static_cast<double>(wide[i])
                             : static_cast<double>(static_cast<float>(narrow[i]));
  }
  DRAPE_HOST_DEVICE void scale(std::int64_t i, double factor) const {
    if (narrow == nullptr)
      wide[i] *= static_cast<T>(factor);
    else
      narrow[i] = BFloat16(static_cast<float>(at(i) * factor));
  }
};

/// What gradients of this norm are multiplied by.
DRAPE_HOST_DEVICE double clip_factor(double norm, double limit) {
  const double factor = limit / (norm + 1e-6);
  return factor < 1.0 ? factor : 1.0;
}

template <class T>
void clip_gradients(Cpu, std::span<const Gradient<T>> gradients, double limit);
template <class T>
void clip_gradients(Cuda, std::span<const Gradient<T>> gradients, double limit);

}  // namespace drape::kernels
