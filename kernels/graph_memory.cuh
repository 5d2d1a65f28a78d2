// The memory that recorded work computes in.
#pragma once

#include <cstddef>
#include <unordered_set>

#include "kernels/blocks.h"

namespace drape::kernels {

/// Blocks of device memory that come from those of the process and go back there in the end:
/// whatever happens in between, nobody else writes to them.
class GraphMemory {
 public:
  GraphMemory();

  /// Blocks that were taken from here and not released.
  std::size_t blocks_in_use() const { return taken_.size(); }

  void* take(std::size_t bytes);
  /// Also of blocks that are not from here: work may give up what others took. They stay here.
  void give_back(void* block, std::size_t bytes) noexcept;

  /// While one lives, allocate() and release() of this thread work on this memory.
  class InUse {
   public:
    explicit InUse(GraphMemory& memory);
    ~InUse();
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
  };

 private:
  Blocks blocks_;
  std::unordered_set<void*> taken_;
};

}  // namespace drape::kernels
