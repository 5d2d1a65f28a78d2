// Parts of matrices on their way into tiles, and the choice of a tile.
#pragma once

#include "kernels/ceil_div.h"
#include "kernels/pack.cuh"
#include "kernels/tensor_tile.cuh"

namespace drape::kernels {

/// What is to be written to a tile's factor for these elements.
template <class Tile, class T, int size>
__device__ Pack<T, size> prepared(Pack<T, size> pack) {
  for (T& value : pack.value) value = Tile::prepared(value);
  return pack;
}

/// A matrix of global memory, rows `stride` apart, of which a tile takes what is there.
template <class T>
struct Part {
  const T* first;
  std::int64_t stride, rows, columns;

  /// Whether every row begins on bounds of 16 bytes.
  __device__ bool aligned() const {
    return stride % kVector<T> == 0 && reinterpret_cast<std::uintptr_t>(first) % 16 == 0;
  }
};

/// `rows` x `columns` of a part on their way to a tile's factor in shared memory; zero where the
/// part ends. All threads must take part.
template <class Tile, int rows, int columns, class T>
class TileCopy {
 public:
  __device__ void fetch(const Part<T>& from) {
    const int there = static_cast<int>(min(std::int64_t{rows}, from.rows));
    const T* source = from.first + row(0) * from.stride + column();
    if (from.aligned() && column() + kSize <= from.columns) {
      for (int i = 0; i < kRows; ++i) {
        values_[i] = {};
        if (row(i) < there) values_[i] = load<kSize>(source + i * kDown * from.stride);
      }
      return;
    }
    for (int i = 0; i < kRows; ++i) {
      values_[i] = {};
      for (int j = 0; row(i) < there && j < kSize; ++j) {
        if (column() + j < from.columns) values_[i].value[j] = source[i * kDown * from.stride + j];
      }
    }
  }

  /// Rows there are `stride` apart, on bounds of 16 bytes.
  __device__ void store(T* to, int stride) const {
    for (int i = 0; i < kRows; ++i) {
      if (rows % kDown == 0 || row(i) < rows)
        kernels::store(to + row(i) * stride + column(), prepared<Tile>(values_[i]));
    }
  }

 private:
  static constexpr int kSize = kVector<T>, kAcross = columns / kSize;
  static constexpr int kDown = kTileThreads / kAcross, kRows = ceil_div(rows, kDown);
  static_assert(kTileThreads % kAcross == 0);
  __device__ static int column() { return static_cast<int>(threadIdx.x) % kAcross * kSize; }
  __device__ static int row(int i) { return static_cast<int>(threadIdx.x) / kAcross + i * kDown; }

  Pack<T, kSize> values_[kRows];
};

/// Calls f.operator()<Tile>() with the tile that multiplies T on this tag.
template <int columns, class T, class F>
void with_tile(Cuda cuda, F&& f) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    f.template operator()<TensorTile<T, columns>>();
  } else if constexpr (std::is_same_v<T, float>) {
    if (uses_tensor_cores<T>(cuda)) return f.template operator()<TensorTile<T, columns>>();
    f.template operator()<ScalarTile<T, columns>>();
  } else {
    f.template operator()<ScalarTile<T, columns>>();
  }
}

}  // namespace drape::kernels
