// Data races between CUDA threads, found whatever the order they happened to run in. Kernels are
// compiled with -fsanitize=thread, which makes every access call a function; race.cpp answers these
// calls in place of the sanitizer's library.
//
// Two accesses to one byte, at least one of them a write and not both atomic, race unless a barrier
// of the block, or of the warp within a warp, lies between them. Blocks are never ordered.
#pragma once

#include <cstddef>

namespace drape::emulator::race {

enum class Memory { global, shared };

/// Memory that is watched.
void add_region(const void* memory, std::size_t bytes, Memory kind);
void remove_region(const void* memory);

/// Accesses count while one lives. Races go to stderr, a line each for the first ten, which fails a
/// test.
class Launch {
 public:
  Launch();
  ~Launch();
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
};

/// What the scheduler tells: a block starts, a thread runs, a barrier is passed.
void start_block(unsigned threads);
void select(unsigned thread);
void pass_barrier();
void pass_warp_barrier(unsigned warp);

}  // namespace drape::emulator::race
