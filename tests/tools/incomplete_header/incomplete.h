// Uses std::string without including it, on purpose.
#pragma once

inline std::string name() {
  return "incomplete";
}
