// Eight floats at a time, where a loop must keep its sums in registers: the compilers' vector type,
// which lowers to whatever the machine has.
#pragma once

#include <cstring>

namespace drape::kernels {

using Float8 = float __attribute__((vector_size(32)));

inline Float8 load8(const float* from) {
  Float8 v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}

inline void store8(Float8 v, float* to) {
  std::memcpy(to, &v, sizeof(v));
}

/// Eight copies of a value.
inline Float8 broadcast8(float value) {
  return Float8{} + value;
}

}  // namespace drape::kernels
