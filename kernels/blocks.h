// Blocks of memory that are kept after use and handed out again by size, within bounds.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "kernels/memory.h"

namespace drape::kernels {

/// Where blocks come from and go back to.
struct BlockSource {
  std::size_t bounds;                            // sizes are multiples of it
  const char* place;                             // in messages: "", " on the device"
  std::function<void*(std::size_t bytes)> take;  // null where nothing is left
  std::function<void(void* block, std::size_t bytes)> give_back;
  // Sizes may change from step to step, as images do: before a block is asked of the source, those
  // that are kept go back if all together would be more than twice the most that was ever in use,
  // and these bytes. A loop of the same sizes asks for none. Without: when the source has none
  // left.
  std::int64_t spare = std::numeric_limits<std::int64_t>::max();
};

/// What becomes of a block after its use. Under AddressSanitizer it goes back to its source, where
/// use after release is seen.
enum class AfterUse { keep, give_back };
#if defined(__SANITIZE_ADDRESS__)
inline constexpr AfterUse kAfterUse = AfterUse::give_back;
#else
inline constexpr AfterUse kAfterUse = AfterUse::keep;
#endif

class Blocks {
 public:
  explicit Blocks(BlockSource source, AfterUse after_use = kAfterUse)
      : source_(std::move(source)), after_use_(after_use) {}
  ~Blocks() { trim(); }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  /// A block of at least `bytes` bytes. Error when memory is exhausted.
  void* take(std::size_t bytes);
  /// Takes back a block that was taken for `bytes`, here or from the same source.
  void give_back(void* block, std::size_t bytes) noexcept;
  /// Gives the blocks that are kept back to their source.
  void trim();
  MemoryUse use();

 private:
  std::size_t rounded(std::size_t bytes) const;
  void* from_source(std::size_t bytes);
  bool too_many_with(std::size_t bytes) const;
  void drop_free();

  const BlockSource source_;
  const AfterUse after_use_;
  std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<void*>> free_;
  std::int64_t free_bytes_ = 0;
  MemoryUse use_;
};

}  // namespace drape::kernels
