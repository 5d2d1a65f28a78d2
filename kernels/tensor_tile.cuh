// Tiles of matrix products: who computes what in a block of 256 threads, behind one interface. A
// block multiplies two factors that lie in shared memory, a with 64 rows and b with `columns`
// columns, and adds to 64 x columns sums that its threads hold.
#pragma once

#include "kernels/bfloat16.h"
#include "kernels/cuda.cuh"

#if defined(__CUDACC__)
#include <mma.h>
#endif

namespace drape::kernels {

inline constexpr int kTileThreads = 256, kTileRows = 64;

/// Which index of a factor is contiguous: its row or column i, or the depth d that is summed over.
enum class Contiguous { row, depth };

/// A factor in shared memory, `rows` rows (or columns, if it is b) by `depth`. The distance between
/// its lines keeps them on 16-byte bounds, and lanes that read neighbouring lines on different
/// banks.
template <class T, int rows, int depth, Contiguous contiguous>
struct Factor {
  static constexpr Contiguous kContiguous = contiguous;
  static constexpr int kRows = rows, kDepth = depth;
  static constexpr int kStride =
      contiguous == Contiguous::depth ? depth + 16 / static_cast<int>(sizeof(T))
                                      : rows + std::max(8, 16 / static_cast<int>(sizeof(T)));
  static constexpr int kSize = kStride * (contiguous == Contiguous::depth ? rows : depth);
  static_assert(kSize * sizeof(T) % 32 == 0, "what follows must lie on tensor cores' bounds");

  T* memory;

  __device__ T* at(int i, int d) const {
    return memory + (contiguous == Contiguous::depth ? i * kStride + d : d * kStride + i);
  }
};

/// 4 x columns/16 sums a thread, in the type itself.
template <class T, int columns>
class ScalarTile {
 public:
  using Element = T;
  using Sum = T;

  template <class A, class B>
  __device__ void add_product(const A& a, const B& b) {
    static_assert(A::kRows == kTileRows && B::kRows == columns && A::kDepth == B::kDepth);
    for (int d = 0; d < A::kDepth; ++d) {
      T left[4], right[kColumns];
      for (int j = 0; j < 4; ++j) left[j] = *a.at(row() + 16 * j, d);
      for (int j = 0; j < kColumns; ++j) right[j] = *b.at(column() + 16 * j, d);
      for (int m = 0; m < 4; ++m) {
        for (int k = 0; k < kColumns; ++k) sums_[m][k] += left[m] * right[k];
      }
    }
  }

  /// Writes the sums to shared memory, rows `stride` apart.
  __device__ void store(T* to, int stride) const {
    for (int m = 0; m < 4; ++m) {
      for (int k = 0; k < kColumns; ++k)
        to[(row() + 16 * m) * stride + column() + 16 * k] = sums_[m][k];
    }
  }

 private:
  static constexpr int kColumns = columns / 16;
  __device__ static int row() { return static_cast<int>(threadIdx.x) / 16; }
  __device__ static int column() { return static_cast<int>(threadIdx.x) % 16; }
  T sums_[4][kColumns] = {};
};

/// 16 x 16 sums of one warp on tensor cores, in f32: of factors in bf16, or in f32 rounded to TF32.
template <class T>
class WarpSums;

#if defined(__CUDACC__)
template <class T>
class WarpSums {
  static constexpr bool kTf32 = sizeof(T) == 4;

 public:
  static constexpr int kDepth = kTf32 ? 8 : 16;

  __device__ WarpSums() { nvcuda::wmma::fill_fragment(sums_, 0.0f); }

  /// Adds the product of 16 rows of a and 16 columns of b over kDepth of their depth.
  template <class A, class B>
  __device__ void add_product(const A& a, int row, const B& b, int column, int depth) {
    namespace wmma = nvcuda::wmma;
    wmma::fragment<wmma::matrix_a, 16, 16, kDepth, Number,
                   Layout<A::kContiguous == Contiguous::depth>>
        left;
    wmma::fragment<wmma::matrix_b, 16, 16, kDepth, Number,
                   Layout<B::kContiguous == Contiguous::row>>
        right;
    wmma::load_matrix_sync(left, reinterpret_cast<const Stored*>(a.at(row, depth)), A::kStride);
    wmma::load_matrix_sync(right, reinterpret_cast<const Stored*>(b.at(column, depth)), B::kStride);
    if constexpr (kTf32) {
      for (int i = 0; i < left.num_elements; ++i) left.x[i] = wmma::__float_to_tf32(left.x[i]);
      for (int i = 0; i < right.num_elements; ++i) right.x[i] = wmma::__float_to_tf32(right.x[i]);
    }
    wmma::mma_sync(sums_, left, right, sums_);
  }
  __device__ void store(float* to, int stride) const {
    nvcuda::wmma::store_matrix_sync(to, sums_, static_cast<unsigned>(stride),
                                    nvcuda::wmma::mem_row_major);
  }

 private:
  using Number = std::conditional_t<kTf32, nvcuda::wmma::precision::tf32, __nv_bfloat16>;
  using Stored = std::conditional_t<kTf32, float, __nv_bfloat16>;
  template <bool rows_first>
  using Layout = std::conditional_t<rows_first, nvcuda::wmma::row_major, nvcuda::wmma::col_major>;
  nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, kDepth, float> sums_;
};
#else
template <class T>
class WarpSums {
 public:
  static constexpr int kDepth = sizeof(T) == 4 ? 8 : 16;

  // A lane has half a row. The vote fails unless the whole warp is here; it orders no memory, as
  // the instructions do not.
  template <class A, class B>
  void add_product(const A& a, int row, const B& b, int column, int depth) {
    static_cast<void>(__ballot_sync(0xffffffffu, true));
    for (int j = 0; j < 8; ++j) {
      for (int d = depth; d < depth + kDepth; ++d) {
        sums_[j] += rounded(*a.at(row + my_row(), d)) * rounded(*b.at(column + my_column() + j, d));
      }
    }
  }
  void store(float* to, int stride) const {
    static_cast<void>(__ballot_sync(0xffffffffu, true));
    for (int j = 0; j < 8; ++j) to[my_row() * stride + my_column() + j] = sums_[j];
  }

 private:
  static int my_row() { return emulator::lane() / 2; }
  static int my_column() { return emulator::lane() % 2 * 8; }
  // To TF32's 10 bits of fraction, to nearest, ties away from zero; bf16 has fewer.
  static float rounded(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof(bits));
    if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x1000u) & 0xffffe000u;
    std::memcpy(&x, &bits, sizeof(x));
    return x;
  }
  float sums_[8] = {};
};
#endif

/// The same tile on tensor cores: each of the eight warps has 16 rows and half of the columns.
template <class T, int columns>
class TensorTile {
 public:
  using Element = T;
  using Sum = float;

  template <class A, class B>
  __device__ void add_product(const A& a, const B& b) {
    static_assert(A::kRows == kTileRows && B::kRows == columns && A::kDepth == B::kDepth);
    for (int d = 0; d < A::kDepth; d += WarpSums<T>::kDepth) {
      for (int j = 0; j < kAcross; ++j) sums_[j].add_product(a, row(), b, column() + 16 * j, d);
    }
  }

  __device__ void store(float* to, int stride) const {
    for (int j = 0; j < kAcross; ++j)
      sums_[j].store(to + row() * stride + column() + 16 * j, stride);
  }

 private:
  static constexpr int kAcross = columns / 32;
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / 32; }
  __device__ static int row() { return warp() / 2 * 16; }
  __device__ static int column() { return warp() % 2 * (columns / 2); }
  WarpSums<T> sums_[kAcross];
};

}  // namespace drape::kernels
