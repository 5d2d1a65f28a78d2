// The running block's shared memory.
#pragma once

#include <cstddef>
#include <vector>

namespace drape::emulator {

/// Variables in one arena with poisoned zones between, NaN when a block starts.
class SharedMemory {
 public:
  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  void start_launch(std::size_t dynamic_bytes);
  void start_block();

  /// The variable of that key; null where a device has no more: 48 KiB with the launch's dynamic
  /// memory, or, where the launch asks for that, 48 KiB, and 227 KiB with it.
  void* variable(const void* key, std::size_t bytes);
  /// What the launch asked for; null if nothing.
  void* dynamic() { return dynamic_; }

 private:
  struct Variable {
    const void* key;
    char* data;
    std::size_t bytes;
  };

  char* add(const void* key, std::size_t bytes);

  char* arena_;
  std::vector<Variable> variables_;
  std::size_t used_ = 0, static_bytes_ = 0, dynamic_bytes_ = 0;
  char* dynamic_ = nullptr;
};

}  // namespace drape::emulator
