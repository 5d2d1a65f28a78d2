// Tiles of matrix products: who computes what in a block of 256 threads, behind one interface. A
// block multiplies two tiles of shared memory, a [64][32] and b [64][32] (the rows of b are the
// columns of the product), and adds to 64 x 64 sums that its threads hold.
#pragma once

#include "kernels/cuda.cuh"

#if defined(__CUDACC__)
#include <mma.h>
#endif

namespace drape::kernels {

inline constexpr int kTileRows = 64, kTileDepth = 32;

/// Distance between rows of a and b: lanes of a warp read different banks, and rows stay on 16-byte
/// bounds.
inline constexpr int kTileStride = kTileDepth + 4;

/// 4 x 4 sums a thread, in the type itself.
template <class T>
class ScalarTile {
 public:
  __device__ void add_product(const T* a, const T* b) {
    for (int i = 0; i < kTileDepth; ++i) {
      T left[4], right[4];
      for (int j = 0; j < 4; ++j) left[j] = a[(row() + 16 * j) * kTileStride + i];
      for (int j = 0; j < 4; ++j) right[j] = b[(column() + 16 * j) * kTileStride + i];
      for (int m = 0; m < 4; ++m) {
        for (int k = 0; k < 4; ++k) sums_[m][k] += left[m] * right[k];
      }
    }
  }

  /// Calls body(row, column, sum) for every sum, on some thread. `memory` holds 64 x 64 values of
  /// shared memory that nobody uses any more; all threads must call it.
  template <class Body>
  __device__ void each(T*, Body&& body) const {
    for (int m = 0; m < 4; ++m) {
      for (int k = 0; k < 4; ++k) body(row() + 16 * m, column() + 16 * k, sums_[m][k]);
    }
  }

 private:
  __device__ static int row() { return static_cast<int>(threadIdx.x) / 16; }
  __device__ static int column() { return static_cast<int>(threadIdx.x) % 16; }
  T sums_[4][4] = {};
};

/// 16 x 16 sums of one warp on tensor cores: factors rounded to TF32, sums in f32.
#if defined(__CUDACC__)
class WarpFragment {
 public:
  __device__ WarpFragment() { nvcuda::wmma::fill_fragment(sums_, 0.0f); }

  /// Adds a [16][8] times b [16][8], transposed.
  __device__ void add_product(const float* a, const float* b) {
    namespace wmma = nvcuda::wmma;
    wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::col_major> right;
    wmma::load_matrix_sync(left, a, kTileStride);
    wmma::load_matrix_sync(right, b, kTileStride);
    for (int i = 0; i < left.num_elements; ++i) left.x[i] = wmma::__float_to_tf32(left.x[i]);
    for (int i = 0; i < right.num_elements; ++i) right.x[i] = wmma::__float_to_tf32(right.x[i]);
    wmma::mma_sync(sums_, left, right, sums_);
  }
  __device__ void store(float* to, int stride) const {
    nvcuda::wmma::store_matrix_sync(to, sums_, static_cast<unsigned>(stride),
                                    nvcuda::wmma::mem_row_major);
  }

 private:
  nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 8, float> sums_;
};
#else
class WarpFragment {
 public:
  // A lane has half a row. The vote fails unless the whole warp is here; it orders no memory, as
  // the instructions do not.
  void add_product(const float* a, const float* b) {
    static_cast<void>(__ballot_sync(0xffffffffu, true));
    for (int j = 0; j < 8; ++j) {
      for (int i = 0; i < 8; ++i) {
        sums_[j] +=
            rounded(a[row() * kTileStride + i]) * rounded(b[(column() + j) * kTileStride + i]);
      }
    }
  }
  void store(float* to, int stride) const {
    static_cast<void>(__ballot_sync(0xffffffffu, true));
    for (int j = 0; j < 8; ++j) to[row() * stride + column() + j] = sums_[j];
  }

 private:
  static int row() { return emulator::lane() / 2; }
  static int column() { return emulator::lane() % 2 * 8; }
  // To 10 bits of fraction, to nearest, ties away from zero.
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

/// The same tile on tensor cores: each of the eight warps has 16 rows and 32 columns.
class TensorTile {
 public:
  __device__ void add_product(const float* a, const float* b) {
    for (int i = 0; i < kTileDepth; i += 8) {
      for (int j = 0; j < 2; ++j) {
        sums_[j].add_product(a + row() * kTileStride + i,
                             b + (column() + 16 * j) * kTileStride + i);
      }
    }
  }

  template <class Body>
  __device__ void each(float* memory, Body&& body) const {
    for (int j = 0; j < 2; ++j) {
      sums_[j].store(memory + row() * kTileRows + column() + 16 * j, kTileRows);
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < kTileRows * kTileRows; i += 256) {
      body(i / kTileRows, i % kTileRows, memory[i]);
    }
  }

 private:
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / 32; }
  __device__ static int row() { return warp() / 2 * 16; }
  __device__ static int column() { return warp() % 2 * 32; }
  WarpFragment sums_[2];
};

}  // namespace drape::kernels
