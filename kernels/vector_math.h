// Exponential and logarithm without calls and branches: loops over them become vector instructions.
#pragma once

#include <bit>
#include <cstdint>

namespace drape::kernels {

/// e^x, to a relative error of 4e-16; e^-708 below -708, e^709 above 709. NaN remains NaN.
/// Formula: 2^n e^r with n = round(x / ln 2), |r| <= ln(2) / 2, and e^r's series up to r^13 / 13!.
inline double vector_exp(double x) {
  // ln 2 in two parts; of the first so few bits that n times it is exact.
  constexpr double kLn2 = 0x1.62e42fefa38p-1, kRestOfLn2 = 0x1.ef35793c7673p-45;
  constexpr double kInteger = 0x1.8p52;  // what is added to it is rounded to its lowest bits
  x = x < -708.0 ? -708.0 : x;
  x = x > 709.0 ? 709.0 : x;
  const double shifted = x * 0x1.71547652b82fep0 + kInteger, n = shifted - kInteger;
  const double r = x - n * kLn2 - n * kRestOfLn2;
  double factorial = 6227020800.0, sum = 1.0 / factorial;  // 13!
#pragma GCC unroll 13
  for (int k = 13; k > 0; --k) {
    factorial /= k;
    sum = sum * r + 1.0 / factorial;
  }
  return sum * std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023) << 52);
}

/// log(1 + x) for 0 <= x <= 1, to a relative error of 5e-16.
/// Formula: 2 artanh(x / (2 + x)), by 17 terms of its series.
inline double vector_log1p(double x) {
  const double s = x / (2.0 + x);
  double sum = 0.0;
#pragma GCC unroll 17
  for (int k = 33; k > 0; k -= 2) sum = sum * (s * s) + 2.0 / k;
  return s * sum;
}

}  // namespace drape::kernels
