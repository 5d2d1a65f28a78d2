// General matrix product: the building block of dense kernels.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace drape::kernels {

/// Whether a stored matrix is used as it stands or transposed.
enum class Use { plain, transposed };

/// Whether a product replaces what stands in the output or is added to it.
enum class Output { replace, add };

/// A stored row-major matrix and how it is used; `stride` is the distance between its stored rows.
template <class T>
struct MatrixView {
  const T* data;
  std::int64_t stride;
  Use use = Use::plain;
};

/// c = a b, or c += a b.
///   a [M,K] as used   b [K,N] as used   c [M,N], rows `c_stride` apart
/// On the CPU f32 goes to oneDNN, f64 is a plain loop. Runs on the calling thread alone, for
/// kernels that cut their work into tasks themselves; the same sizes give the same bits.
template <class T>
void gemm(std::int64_t M, std::int64_t N, std::int64_t K, MatrixView<T> a, MatrixView<T> b,
          Output output, T* c, std::int64_t c_stride);

/// What else comes of a product on the device; each may be null.
template <class T>
struct GemmExtras {
  // [N], added to every row.
  const T* bias = nullptr;
  // [M], the sum of every row of a, which is stored transposed; no bias then.
  T* row_sums = nullptr;
};

/// c = a b + bias on the device, through cuBLASLt.
template <class T>
void gemm(Cuda, std::int64_t M, std::int64_t N, std::int64_t K, MatrixView<T> a, MatrixView<T> b,
          const GemmExtras<T>& extras, T* c, std::int64_t c_stride);

}  // namespace drape::kernels
