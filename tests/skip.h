// Skipping, visibly, a test whose subject is not on this machine (the data set, a device).
#pragma once

#include <cstdio>
#include <string>

#include "tests/catch.h"

namespace drape::tests {

/// Whether a sanitizer slows this down tenfold and has an allocator of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Says why; ctest reads the line and shows the test as skipped. Used before a test's first
/// assertion, as `return skip("the data set is not here");`.
inline void skip(const std::string& reason) {
  std::printf("SKIPPED: %s\n", reason.c_str());
  SUCCEED(reason);  // a test without an assertion fails
}

}  // namespace drape::tests
