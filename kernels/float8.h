// Eight floats at a time: the compilers' vector type, which lowers to whatever the machine has.
#pragma once

#include <cstring>

// Without AVX such a vector is passed in memory. Nobody minds: these functions are inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

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

}  // namespace drape::kernels
