// Sums over the rows of a matrix, by column, in an order that the shape alone decides.
#pragma once

#include <utility>

#include "kernels/ceil_div.h"
#include "kernels/pack.cuh"

namespace drape::kernels {

// A block has lanes (x), at most kSumLanes, over neighbouring columns of one row, and strips (y).
inline constexpr unsigned kSumLanes = 32;

// How far apart the sums of threads lie in shared memory: large ones an odd number of words, so
// that lanes find them on different banks.
template <class Sum>
constexpr std::size_t spacing() {
  constexpr std::size_t kWords = sizeof(Sum) / alignof(Sum);
  return sizeof(Sum) + (kWords > 4 && kWords % 2 == 0 ? alignof(Sum) : 0);
}

// As many threads as have room for their sums, in shared memory and in registers.
template <class Sum>
inline constexpr unsigned kSumThreads = sizeof(Sum) <= 32 ? 512 : 256;

/// Rows of T that a thread reads at a time where nothing else takes its registers.
template <class T>
inline constexpr int kRowsAhead = sizeof(T) > 4 ? 2 : 4;

// sum += of_row(m)() for m = first, first + step ... before end. So many rows are read before the
// first of them is added, so that their loads overlap; in the last round the last one is read
// beyond the end, and not added.
template <int ahead, class Sum, class Row>
__device__ void add_rows(Sum& sum, const Row& of_row, std::int64_t first, std::int64_t end,
                         std::int64_t step) {
  const auto add_from = [&]<int... i>(std::int64_t m, std::integer_sequence<int, i...>) {
    const decltype(of_row(m)) terms[] = {of_row(m + i * step)...};
    ((sum += terms[i]()), ...);
  };
  const auto add = [&](std::int64_t m, const auto& term) {
    if (m < end) sum += term();
  };
  const auto add_rest = [&]<int... i>(std::int64_t m, std::integer_sequence<int, i...>) {
    const decltype(of_row(m)) terms[] = {of_row(min(m + i * step, end - 1))...};
    (add(m + i * step, terms[i]), ...);
  };
  std::int64_t m = first;
  for (; m + (ahead - 1) * step < end; m += ahead * step)
    add_from(m, std::make_integer_sequence<int, ahead>());
  if (m < end) add_rest(m, std::make_integer_sequence<int, ahead>());
}

/// A block per range of rows and as many columns as it has lanes: the sum over its rows m of
/// term(c)(m)(). The last of a column's blocks adds them up, in an order that does not depend on
/// who it is.
template <int ahead, class Sum, class Term, class Finish>
__global__ void __launch_bounds__(kSumThreads<Sum>, 2)
    column_sums_kernel(std::int64_t rows, std::int64_t columns, Term term, Finish finish, Sum* sums,
                       std::uint32_t* arrived) {
  DRAPE_SHARED(unsigned char, memory, [kSumThreads<Sum> * spacing<Sum>()]);
  constexpr int kRangesAhead = std::clamp(256 / static_cast<int>(sizeof(Sum)), 1, 4);
  const unsigned lanes = blockDim.x, strips = blockDim.y;
  const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * lanes + threadIdx.x;
  const std::int64_t ranges = gridDim.y, range = blockIdx.y;
  const auto add_up = [&](const Sum& mine) {  // over the strips: the whole is the first one's
    const auto of_strip = [&](unsigned strip) {
      const unsigned thread = strip * lanes + threadIdx.x;
      return reinterpret_cast<Sum*>(&memory[thread * spacing<Sum>()]);
    };
    Sum* const own = of_strip(threadIdx.y);
    *own = mine;
    for (unsigned apart = strips / 2; apart > 0; apart /= 2) {
      __syncthreads();
      if (threadIdx.y < apart) *own += *of_strip(threadIdx.y + apart);
    }
    return *own;
  };
  Sum sum{};
  if (c < columns) {
    add_rows<ahead>(sum, term(c), rows * range / ranges + threadIdx.y, rows * (range + 1) / ranges,
                    strips);
  }
  sum = add_up(sum);
  if (ranges > 1) {
    if (threadIdx.y == 0 && c < columns) publish(sums + range * columns + c, sum);
    if (!is_last_block(arrived + blockIdx.x, gridDim.y)) return;
    sum = Sum{};
    const auto of_range = [&](std::int64_t r) {
      return [of = collect(sums + r * columns + c)] { return of; };
    };
    if (c < columns) add_rows<kRangesAhead>(sum, of_range, threadIdx.y, ranges, strips);
    sum = add_up(sum);
  }
  if (threadIdx.y == 0 && c < columns) finish(c, sum);
}

/// Calls finish(c, sum over rows m of term(c)(m)()) for every column c; both are [=] __device__
/// lambdas. What term(c) makes is kept for a thread's rows, and may refer to what term has
/// captured. Called with a row, perhaps twice, it reads what the row's term is made of, and returns
/// what makes it, which is called once. `ahead` rows are read at a time: as many as a thread has
/// registers for, with two blocks on a multiprocessor. Sum has a zero, Sum{}, and +=.
template <class Sum, int ahead, class Term, class Finish>
void column_sums(Cuda cuda, const char* name, std::int64_t rows, std::int64_t columns, Term term,
                 Finish finish) {
  constexpr std::int64_t kBlocks = 256;  // nearly two a multiprocessor on the largest devices
  unsigned lanes = kSumLanes;
  while (lanes / 2 >= columns && lanes > 1) lanes /= 2;
  unsigned strips = kSumThreads<Sum> / lanes;
  while (strips > 8 && strips > rows) strips /= 2;
  const std::int64_t across = ceil_div(columns, lanes);
  const std::int64_t ranges =
      std::clamp<std::int64_t>(kBlocks / across, 1, ceil_div(rows, 2 * strips));
  const DeviceBuffer<Sum> sums(cuda, ranges * columns);
  launch(cuda, name,
         {dim3(static_cast<unsigned>(across), static_cast<unsigned>(ranges)), dim3(lanes, strips)},
         column_sums_kernel<ahead, Sum, Term, Finish>, rows, columns, term, finish, sums.data(),
         arrival_counters(across));
}

template <int size, class T>
void pack_column_sums(Cuda cuda, std::int64_t rows, std::int64_t K, const T* dz, T* db) {
  using Real = Accumulator<T>;
  using Sums = PackSums<Real, size>;
  column_sums<Sums, kRowsAhead<T>>(
      cuda, "column_sums", rows, K / size,
      [=] __device__(std::int64_t column) {
        return [&, column](std::int64_t m) {
          return [values = load<size>(dz + m * K + column * size)] {
            Sums sums;
            for (int j = 0; j < size; ++j) sums.of[j] = static_cast<Real>(values.value[j]);
            return sums;
          };
        };
      },
      [=] __device__(std::int64_t column, const Sums& sums) {
        for (int j = 0; j < size; ++j) db[column * size + j] = static_cast<T>(sums.of[j]);
      });
}

/// db[k] = sum over rows of dz[m,k].
template <class T>
void column_sums(Cuda cuda, std::int64_t rows, std::int64_t K, const T* dz, T* db) {
  packs_fit(K) ? pack_column_sums<kPack>(cuda, rows, K, dz, db)
               : pack_column_sums<1>(cuda, rows, K, dz, db);
}

}  // namespace drape::kernels
