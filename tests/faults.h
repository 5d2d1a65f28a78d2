// Calls of the system that fail when a test says so.
#pragma once

namespace drape::tests {

/// allocate: of a block of tensors' memory.
enum class Call { open, write, fsync, close, rename, allocate };

/// While it lives, the n-th of these calls, counted from 1, and `more` after it fail with this
/// errno.
class Fault {
 public:
  Fault(Call call, int n, int error, int more = 0);
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;
  ~Fault();

  bool struck() const;
};

}  // namespace drape::tests
