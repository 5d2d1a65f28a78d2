// The memory that recorded work computes in.
#pragma once

#include "kernels/blocks.h"

namespace drape::kernels {

/// Blocks of device memory that come from those of the process and go back there in the end:
/// whatever happens in between, nobody else writes to them.
class GraphMemory {
 public:
  GraphMemory();

  /// Blocks that were taken and not released.
  std::int64_t blocks_in_use() { return blocks_.use().blocks; }

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
};

}  // namespace drape::kernels
