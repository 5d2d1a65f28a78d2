// Comparing tensors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/tensor.h"
#include "tests/catch.h"

namespace drape::tests {

/// The elements as double.
inline std::vector<double> values(const Tensor& t) {
  return t.to(DType::f64).to_vector<double>();
}

/// max |t[i]|, 0 for no elements.
inline double largest(const Tensor& t) {
  double most = 0.0;
  for (const double value : values(t)) most = std::max(most, std::abs(value));
  return most;
}

/// max |a[i] - b[i]|; infinite where shapes differ or one element alone is NaN.
inline double difference(const Tensor& a, const Tensor& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 0.0 : kInfinity;
  if (a.shape() != b.shape()) return kInfinity;
  const std::vector<double> x = values(a), y = values(b);
  double most = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) != std::isnan(y[i])) return kInfinity;
    if (x[i] != y[i] && !std::isnan(x[i])) most = std::max(most, std::abs(x[i] - y[i]));
  }
  return most;
}

/// Whether shapes, types and all bits are equal; two empty tensors are.
inline bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty();
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const auto equal = [&]<class T>(T) {
    const std::vector<T> x = a.to_vector<T>(), y = b.to_vector<T>();
    return std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
  };
  switch (a.dtype()) {
    case DType::f32:
      return equal(float{});
    case DType::f64:
      return equal(double{});
    case DType::bf16:
      return equal(BFloat16{});
    case DType::u8:
      return equal(std::uint8_t{});
    case DType::i32:
      return equal(std::int32_t{});
  }
  return false;
}

}  // namespace drape::tests
