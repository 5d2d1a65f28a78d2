// Sums over the rows of a matrix, by column, in an order that the shape alone decides.
#pragma once

#include "kernels/cuda.cuh"

namespace drape::kernels {

// Blocks of 32 columns by 8 rows: a warp reads neighbouring columns of one row.
inline constexpr unsigned kSumLanes = 32, kSumRows = 8;

/// A block per range of rows and 32 columns writes sums[range, c] = sum over the range's rows of
/// term(m, c).
template <class Sum, class Term>
__global__ void column_sums_kernel(std::int64_t rows, std::int64_t columns, Term term, Sum* sums) {
  DRAPE_SHARED(Sum, of_threads, [kSumRows][kSumLanes]);
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kSumLanes + threadIdx.x;
  const std::int64_t ranges = gridDim.y, range = blockIdx.y;
  const std::int64_t begin = rows * range / ranges, end = rows * (range + 1) / ranges;
  Sum sum{};
  for (std::int64_t m = begin + threadIdx.y; c < columns && m < end; m += kSumRows) {
    sum += term(m, c);
  }
  of_threads[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= columns) return;
  for (unsigned r = 1; r < kSumRows; ++r) sum += of_threads[r][threadIdx.x];
  sums[range * columns + c] = sum;
}

/// Calls finish(c, sum over rows m of term(m, c)) for every column c; both are [=] __device__
/// lambdas. Sum has a zero, Sum{}, and +=.
template <class Sum, class Term, class Finish>
void column_sums(Cuda cuda, const char* name, std::int64_t rows, std::int64_t columns, Term term,
                 Finish finish) {
  const std::int64_t across = (columns + kSumLanes - 1) / kSumLanes;
  const std::int64_t ranges = std::clamp<std::int64_t>(512 / across, 1, (rows + 63) / 64);
  const DeviceBuffer<Sum> buffer(cuda, ranges * columns);
  Sum* sums = buffer.data();
  launch(cuda, name,
         {dim3(static_cast<unsigned>(across), static_cast<unsigned>(ranges)),
          dim3(kSumLanes, kSumRows)},
         column_sums_kernel<Sum, Term>, rows, columns, term, sums);
  for_each(cuda, "column_sums_finish", columns, [=] __device__(std::int64_t c) {
    Sum sum{};
    for (std::int64_t range = 0; range < ranges; ++range) sum += sums[range * columns + c];
    finish(c, sum);
  });
}

/// db[k] = sum over rows of dz[m,k].
template <class T>
void column_sums(Cuda cuda, std::int64_t rows, std::int64_t K, const T* dz, T* db) {
  using Sum = Accumulator<T>;
  column_sums<Sum>(
      cuda, "column_sums", rows, K,
      [=] __device__(std::int64_t m, std::int64_t k) { return static_cast<Sum>(dz[m * K + k]); },
      [=] __device__(std::int64_t k, Sum sum) { db[k] = static_cast<T>(sum); });
}

}  // namespace drape::kernels
