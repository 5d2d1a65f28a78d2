// What every fuzz target does with its input.
#pragma once

#include <cstddef>

#include "kernels/error.h"

namespace drape::fuzz {

/// From its construction on, counts the bytes of the heap that this thread holds.
class HeapWatch {
 public:
  HeapWatch();
  HeapWatch(const HeapWatch&) = delete;
  HeapWatch& operator=(const HeapWatch&) = delete;
  ~HeapWatch();

  /// Ends the process, so that libFuzzer keeps the input, if they ever were more than `most`.
  void expect_at_most(std::size_t most) const;
};

/// What any reader may hold whatever comes: messages, and zlib's window.
inline constexpr std::size_t kHeapOfAnyone = std::size_t{64} << 10;

/// Calls read(), which may refuse the input by an Error, and by nothing else, and may hold `most`
/// bytes beside kHeapOfAnyone. Returns what a fuzz target has to return.
template <class F>
int read_within(std::size_t most, F&& read) {
  const HeapWatch heap;
  try {
    read();
  } catch (const Error&) {
  }
  heap.expect_at_most(kHeapOfAnyone + most);
  return 0;
}

}  // namespace drape::fuzz
