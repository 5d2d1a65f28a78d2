#include "kernels/blocks.h"

#include <algorithm>
#include <string>

#include "kernels/error.h"

namespace drape::kernels {

std::size_t Blocks::rounded(std::size_t bytes) const {
  return (std::max<std::size_t>(bytes, 1) + source_.bounds - 1) / source_.bounds * source_.bounds;
}

void* Blocks::take(std::size_t wanted) {
  const std::size_t bytes = rounded(wanted);
  const std::lock_guard lock(mutex_);
  const auto kept = free_.find(bytes);
  void* block = nullptr;
  if (kept == free_.end() || kept->second.empty()) {
    block = from_source(bytes);
  } else {
    block = kept->second.back();
    kept->second.pop_back();
    free_bytes_ -= static_cast<std::int64_t>(bytes);
  }
  use_.bytes += static_cast<std::int64_t>(bytes);
  use_.blocks += 1;
  use_.peak_bytes = std::max(use_.peak_bytes, use_.bytes);
  return block;
}

void* Blocks::from_source(std::size_t bytes) {
  ++use_.from_system;
  if (too_many_with(bytes)) drop_free();
  if (void* const block = source_.take(bytes)) return block;
  drop_free();
  if (void* const block = source_.take(bytes)) return block;
  throw Error("memory: expected " + std::to_string(bytes) + " bytes" + source_.place +
              ", got none; " + std::to_string(use_.bytes) + " are in use");
}

bool Blocks::too_many_with(std::size_t bytes) const {
  const std::int64_t in_use = use_.bytes + static_cast<std::int64_t>(bytes);
  return free_bytes_ + in_use - 2 * std::max(use_.peak_bytes, in_use) > source_.spare;
}

void Blocks::give_back(void* block, std::size_t wanted) noexcept {
  const std::size_t bytes = rounded(wanted);
  const std::lock_guard lock(mutex_);
  use_.bytes -= static_cast<std::int64_t>(bytes);
  use_.blocks -= 1;
  try {
    if (after_use_ == AfterUse::keep) {
      free_[bytes].push_back(block);
      free_bytes_ += static_cast<std::int64_t>(bytes);
      return;
    }
  } catch (...) {  // no memory to keep it in a list
  }
  source_.give_back(block, bytes);
}

void Blocks::trim() {
  const std::lock_guard lock(mutex_);
  drop_free();
}

MemoryUse Blocks::use() {
  const std::lock_guard lock(mutex_);
  return use_;
}

void Blocks::drop_free() {
  for (auto& [bytes, kept] : free_) {
    for (void* const block : kept) source_.give_back(block, bytes);
  }
  free_.clear();
  free_bytes_ = 0;
}

}  // namespace drape::kernels
