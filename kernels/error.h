// The one exception type of the library: a mistake of the caller, a file, or the machine, told in
// one line.
#pragma once

#include <stdexcept>

namespace drape {

/// Thrown for everything a user can cause or must know; what() is one line that names the
/// operation, what was expected and what came. Broken invariants of the library itself are
/// assertions, not Errors.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace drape
