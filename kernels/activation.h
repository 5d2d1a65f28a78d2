// Activations that kernels apply on the way out.
#pragma once

#include "kernels/host_device.h"

namespace drape {

/// none: y = z. relu: y = max(z, 0), with derivative 0 at z = 0.
enum class Activation { none, relu };

/// y of z. NaN stays NaN.
template <class T>
DRAPE_HOST_DEVICE T activated(Activation activation, T z) {
  return activation == Activation::relu && z < T(0) ? T(0) : z;
}

/// Whether the derivative is 0, where y came out. At NaN it is.
template <class T>
DRAPE_HOST_DEVICE bool is_flat(Activation activation, T y) {
  return activation == Activation::relu && !(y > T(0));
}

}  // namespace drape
