// Sums over the rows of a matrix, by column, in an order that the shape alone decides.
#pragma once

#include "kernels/cuda.cuh"

namespace drape::kernels {

// Blocks of 32 columns by 8 rows: a warp reads neighbouring columns of one row.
inline constexpr unsigned kSumLanes = 32, kSumRows = 8;

/// A block per range of rows and 32 columns: the sum over its rows of term(m, c). The last of a
/// column's blocks adds them up, in an order that does not depend on who it is.
template <class Sum, class Term, class Finish>
__global__ void column_sums_kernel(std::int64_t rows, std::int64_t columns, Term term,
                                   Finish finish, Sum* sums, std::uint32_t* arrived) {
  DRAPE_SHARED(Sum, of_threads, [kSumRows][kSumLanes]);
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kSumLanes + threadIdx.x;
  const std::int64_t ranges = gridDim.y, range = blockIdx.y;
  const auto add_up = [&](const Sum& mine) {  // over the threads of a column
    of_threads[threadIdx.y][threadIdx.x] = mine;
    __syncthreads();
    Sum all = of_threads[0][threadIdx.x];
    for (unsigned r = 1; r < kSumRows; ++r) all += of_threads[r][threadIdx.x];
    __syncthreads();
    return all;
  };
  Sum sum{};
  if (c < columns) {
    const std::int64_t end = rows * (range + 1) / ranges;
    for (std::int64_t m = rows * range / ranges + threadIdx.y; m < end; m += kSumRows) {
      sum += term(m, c);
    }
  }
  sum = add_up(sum);
  if (ranges > 1) {
    if (threadIdx.y == 0 && c < columns) publish(sums + range * columns + c, sum);
    if (!is_last_block(arrived + blockIdx.x, gridDim.y)) return;
    sum = Sum{};
    for (std::int64_t r = threadIdx.y; c < columns && r < ranges; r += kSumRows) {
      sum += collect(sums + r * columns + c);
    }
    sum = add_up(sum);
  }
  if (threadIdx.y == 0 && c < columns) finish(c, sum);
}

/// Calls finish(c, sum over rows m of term(m, c)) for every column c; both are [=] __device__
/// lambdas, term is called once for each element. Sum has a zero, Sum{}, and +=.
template <class Sum, class Term, class Finish>
void column_sums(Cuda cuda, const char* name, std::int64_t rows, std::int64_t columns, Term term,
                 Finish finish) {
  const std::int64_t across = (columns + kSumLanes - 1) / kSumLanes;
  const std::int64_t ranges = std::clamp<std::int64_t>(512 / across, 1, (rows + 63) / 64);
  const DeviceBuffer<Sum> sums(cuda, ranges * columns);
  launch(cuda, name,
         {dim3(static_cast<unsigned>(across), static_cast<unsigned>(ranges)),
          dim3(kSumLanes, kSumRows)},
         column_sums_kernel<Sum, Term, Finish>, rows, columns, term, finish, sums.data(),
         arrival_counters(cuda, across));
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
