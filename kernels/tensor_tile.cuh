// Tiles of matrix products: who computes what in a block of 256 threads, behind one interface. A
// block multiplies two factors that lie in shared memory, a with 64 rows and b with `columns`
// columns, and adds to 64 x columns sums that its threads hold.
#pragma once

#include "kernels/bfloat16.h"
#include "kernels/cuda.cuh"
#include "kernels/tensor_cores.cuh"

namespace drape::kernels {

inline constexpr int kTileThreads = 256, kTileRows = 64;

/// Whether products of T go to tensor cores on this tag.
template <class T>
bool uses_tensor_cores(Cuda cuda) {
  return std::is_same_v<T, BFloat16> || (std::is_same_v<T, float> && cuda.math == Math::tf32);
}

/// As many blocks on a multiprocessor as wanted: before Hopper its shared memory holds two.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
#define DRAPE_BLOCKS(...) ((__VA_ARGS__) > 2 ? 2 : (__VA_ARGS__))
#else
#define DRAPE_BLOCKS(...) (__VA_ARGS__)
#endif

/// Which index of a factor is contiguous: its row or column i, or the depth d that is summed over.
enum class Contiguous { row, depth };

/// A factor in shared memory, `rows` rows (or columns, if it is b) by `depth`. The distance between
/// its lines keeps them on 16-byte bounds, and lanes that read neighbouring lines on different
/// banks.
template <class T, int rows, int depth, Contiguous contiguous>
struct Factor {
  static constexpr Contiguous kContiguous = contiguous;
  static constexpr int kRows = rows, kDepth = depth;
  static constexpr int kStride = contiguous == Contiguous::depth
                                     ? depth + 16 / static_cast<int>(sizeof(T))
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
  using Sum = T;
  static constexpr bool kTensorCores = false;

  /// What is to be written to a factor for x.
  __device__ static T prepared(T x) { return x; }

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

/// 16 x `columns` sums of one warp on tensor cores, in f32: of factors in bf16, or in f32 rounded
/// to TF32. Which lane holds which element of a, b and the sums is in the manual of PTX, under
/// mma.m16n8k8 (TF32) and mma.m16n8k16 (bf16).
template <class T, int columns>
class WarpSums {
  static constexpr bool kTf32 = sizeof(T) == 4;

 public:
  static constexpr int kDepth = kTf32 ? 8 : 16;

  __device__ static T prepared(T x) {
    if constexpr (kTf32) {
      return round_to_tf32(x);
    } else {
      return x;
    }
  }

  template <class A, class B>
  __device__ void add_product(const A& a, int row, const B& b, int column, int depth) {
    std::uint32_t left[4];
    read<16>(a, row, depth, left);
    for (int j = 0; j < kAcross; ++j) {
      std::uint32_t right[2];
      read<8>(b, column + 8 * j, depth, right);
      multiply_add<kTf32>(left, right, sums_[j]);
    }
  }

  __device__ void store(float* to, int stride) const {
    for (int j = 0; j < kAcross; ++j) {
      float* const at = to + lane() / 4 * stride + 8 * j + lane() % 4 * 2;
      at[0] = sums_[j][0], at[1] = sums_[j][1];
      at[8 * stride] = sums_[j][2], at[8 * stride + 1] = sums_[j][3];
    }
  }

 private:
  static constexpr int kAcross = columns / 8;
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }

  // This lane's share of `rows` rows of a factor from `row` on, over kDepth of its depth.
  template <int rows, class F>
  __device__ static void read(const F& factor, int row, int depth,
                              std::uint32_t (&share)[rows / 4]) {
    constexpr bool kDepthFirst = F::kContiguous == Contiguous::depth;
    if constexpr (kTf32 && !kDepthFirst) {
      for (int i = 0; i < rows / 4; ++i) {
        const int down = rows == 16 ? i % 2 * 8 : 0, along = (rows == 16 ? i / 2 : i) * 4;
        share[i] = __float_as_uint(*factor.at(row + lane() / 4 + down, depth + lane() % 4 + along));
      }
    } else {  // matrices of 8 x 16 bytes, whose lines lanes point to
      const int line = lane() % 8, matrix = lane() / 8;
      const int down = rows == 16 ? matrix % 2 * 8 : 0;
      const int along = (rows == 16 ? matrix / 2 : matrix % 2) * (kDepth / 2);
      load_matrices<!kDepthFirst>(kDepthFirst ? factor.at(row + down + line, depth + along)
                                              : factor.at(row + down, depth + along + line),
                                  share);
    }
  }

  float sums_[kAcross][4] = {};
};

/// The same tile on tensor cores: each of the eight warps has 16 rows and half of the columns.
template <class T, int columns>
class TensorTile {
  using Sums = WarpSums<T, columns / 2>;

 public:
  using Sum = float;
  static constexpr bool kTensorCores = true;

  __device__ static T prepared(T x) { return Sums::prepared(x); }

  template <class A, class B>
  __device__ void add_product(const A& a, const B& b) {
    static_assert(A::kRows == kTileRows && B::kRows == columns && A::kDepth == B::kDepth);
    DRAPE_UNROLL(4)
    for (int d = 0; d < A::kDepth; d += Sums::kDepth) sums_.add_product(a, row(), b, column(), d);
  }

  __device__ void store(float* to, int stride) const {
    sums_.store(to + row() * stride + column(), stride);
  }

 private:
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / 32; }
  __device__ static int row() { return warp() / 2 * 16; }
  __device__ static int column() { return warp() % 2 * (columns / 2); }
  Sums sums_;
};

}  // namespace drape::kernels
