// Checks of what a caller hands in: one macro, one exception.
#pragma once

#include <fmt/format.h>

#include "kernels/error.h"

/// Throws drape::Error with the formatted message unless `condition` holds. The arguments are
/// evaluated only on failure. Message: "<op>: expected <what>, got <what came>".
#define DRAPE_CHECK(condition, ...)                                     \
  do {                                                                  \
    if (!(condition)) throw ::drape::Error(::fmt::format(__VA_ARGS__)); \
  } while (false)
