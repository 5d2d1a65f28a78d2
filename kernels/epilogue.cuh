// What dense CUDA kernels do to their result: bias and activation on the way out, and the same
// backwards on the way in.
#pragma once

#include "kernels/activation.h"
#include "kernels/cuda.cuh"

namespace drape::kernels {

/// y[m,k] = activation(y[m,k] + b[k]) in place, for rows of K values. b may be null. NaN stays NaN.
template <class T>
void add_bias_activate(Cuda cuda, std::int64_t rows, std::int64_t K, const T* b,
                       Activation activation, T* y) {
  if (b == nullptr && activation == Activation::none) return;
  for_each(cuda, "add_bias_activate", rows * K, [=] __device__(std::int64_t i) {
    const T z = b == nullptr ? y[i] : y[i] + b[i % K];
    y[i] = activation == Activation::relu && z < T(0) ? T(0) : z;
  });
}

/// The rows of a matrix in ranges, and the columns 32 at a time: a block per range and 32 columns
/// writes sums[range, k] = sum over the range's rows of x[m,k].
template <class T>
__global__ void column_sums_kernel(std::int64_t rows, std::int64_t K, const T* x, T* sums) {
  constexpr unsigned kLanes = 32, kRows = 8;
  DRAPE_SHARED(T, of_threads, [kRows][kLanes]);
  const std::int64_t k = static_cast<std::int64_t>(blockIdx.x) * kLanes + threadIdx.x;
  const std::int64_t ranges = gridDim.y, range = blockIdx.y;
  const std::int64_t begin = rows * range / ranges, end = rows * (range + 1) / ranges;
  T sum(0);
  for (std::int64_t m = begin + threadIdx.y; k < K && m < end; m += kRows) sum += x[m * K + k];
  of_threads[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || k >= K) return;
  for (unsigned r = 1; r < kRows; ++r) sum += of_threads[r][threadIdx.x];
  sums[range * K + k] = sum;
}

/// db[k] = sum over rows of dz[m,k], in an order that the shape alone decides.
template <class T>
void column_sums(Cuda cuda, std::int64_t rows, std::int64_t K, const T* dz, T* db) {
  const std::int64_t across = (K + 31) / 32;
  const std::int64_t ranges = std::clamp<std::int64_t>(512 / across, 1, (rows + 63) / 64);
  const DeviceBuffer<T> buffer(cuda, ranges * K);
  T* sums = buffer.data();
  launch(cuda, "column_sums",
         {dim3(static_cast<unsigned>(across), static_cast<unsigned>(ranges)), dim3(32, 8)},
         column_sums_kernel<T>, rows, K, dz, sums);
  for_each(cuda, "column_sums_finish", K, [=] __device__(std::int64_t k) {
    T sum(0);
    for (std::int64_t range = 0; range < ranges; ++range) sum += sums[range * K + k];
    db[k] = sum;
  });
}

}  // namespace drape::kernels
