// Neighbouring elements that one access moves.
#pragma once

#include "kernels/cuda.cuh"

namespace drape::kernels {

/// Elements that one 16-byte access moves.
template <class T>
inline constexpr int kVector = 16 / static_cast<int>(sizeof(T));

template <class T, int size>
struct alignas(sizeof(T) * size) Pack {
  T value[size];
};

/// `size` elements from an address on their bounds.
template <int size, class T>
__device__ Pack<T, size> load(const T* from) {
  return *reinterpret_cast<const Pack<T, size>*>(from);
}

/// ... and to one.
template <class T, int size>
__device__ void store(T* to, const Pack<T, size>& pack) {
  *reinterpret_cast<Pack<T, size>*>(to) = pack;
}

/// Elements that a thread of a kernel over channels takes at once where it can.
inline constexpr int kPack = 4;

/// Whether rows of so many elements are whole packs, of an array on an allocation's bounds.
template <int size = kPack>
bool packs_fit(std::int64_t row) {
  return row % size == 0;
}

/// A sum for each of `size` neighbouring columns.
template <class Sum, int size>
struct PackSums {
  Sum of[size] = {};
  __device__ void operator+=(const PackSums& other) {
    for (int j = 0; j < size; ++j) of[j] += other.of[j];
  }
};

}  // namespace drape::kernels
