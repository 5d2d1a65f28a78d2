// Max pooling.
//   y[n,p,q,c] = max over cells r, s of x[n,h,v,c],
//   h = p*stride - padding + r,  v = q*stride - padding + s; padding never wins
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/pool2d.h"

namespace drape::kernels {

/// Most cells of a window: a position is one byte.
inline constexpr std::int64_t kMaxPoolCells = 256;

/// Writes the maxima and where they were found: position = r * window.x + s. Among equals the first
/// in scan order wins; a NaN wins over all (the last one, as in PyTorch).
///   x [N,H,W,C]   y, position [N,P,Q,C]
template <class T>
void max_pool2d_forward(Cpu, const Pool2dGeometry& g, const T* x, T* y, std::uint8_t* position);
template <class T>
void max_pool2d_forward(Cuda, const Pool2dGeometry& g, const T* x, T* y, std::uint8_t* position);

/// dx[n,h,w,c] = sum of dy over the windows whose maximum was found there, in scan order of
/// windows. Writes every dx once.
template <class T>
void max_pool2d_backward(Cpu, const Pool2dGeometry& g, const T* dy, const std::uint8_t* position,
                         T* dx);
template <class T>
void max_pool2d_backward(Cuda, const Pool2dGeometry& g, const T* dy, const std::uint8_t* position,
                         T* dx);

}  // namespace drape::kernels
