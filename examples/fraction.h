// Counts as parts of a whole.
#pragma once

#include <cstdint>

namespace drape {

/// count / total; 0 of nothing.
inline double fraction(std::int64_t count, std::int64_t total) {
  return total == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(total);
}

}  // namespace drape
