// Gradients of weights are sums over the batch. They are taken in an order that the shape alone
// decides: the batch is cut into chunks, each chunk sums its images in order into an array of its
// own, and the arrays are added in order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/memory.h"
#include "kernels/parallel.h"

namespace drape::kernels {

/// One zeroed array of `size` elements per chunk of the batch.
template <class T>
class Partials {
 public:
  /// Fewer chunks where the arrays are larger, so that adding them up stays cheap. Powers of two
  /// share out evenly.
  static std::int64_t chunks_for(std::int64_t images, std::int64_t size) {
    const std::int64_t chunks = size <= (1 << 17) ? 16 : size <= (1 << 19) ? 8 : 4;
    return std::min(images, chunks);
  }

  Partials(std::int64_t images, std::int64_t size)
      : Partials(Chunks{chunks_for(images, size)}, size) {}

  /// As many chunks as the caller says.
  struct Chunks {
    std::int64_t count;
  };
  Partials(Chunks chunks, std::int64_t size)
      : chunks_(chunks.count), size_(size), sums_(chunks_ * size) {}

  std::int64_t chunks() const { return chunks_; }

  /// The array of a chunk, zeroed: to be called once, by the task that fills it.
  T* start(std::int64_t chunk) {
    T* sum = sums_.data() + chunk * size_;
    std::fill(sum, sum + size_, T(0));
    return sum;
  }

  /// total[i] = sum over chunks, in order, of element offset + i.
  void add_up(std::int64_t offset, std::int64_t count, T* total) {
    parallel_ranges(count, 1 << 13, [&](std::int64_t begin, std::int64_t end) {
      const T* first = sums_.data() + offset;
      std::copy(first + begin, first + end, total + begin);
      for (std::int64_t chunk = 1; chunk < chunks_; ++chunk) {
        const T* sum = sums_.data() + chunk * size_ + offset;
        for (std::int64_t i = begin; i < end; ++i) total[i] += sum[i];
      }
    });
  }

 private:
  std::int64_t chunks_, size_;
  Buffer<T> sums_;
};

}  // namespace drape::kernels
