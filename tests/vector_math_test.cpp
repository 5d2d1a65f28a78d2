// The vectorizable exponential and logarithm, against the standard library's.
#include "kernels/vector_math.h"

#include <algorithm>
#include <cmath>

#include "tests/catch.h"

namespace drape::tests {

TEST_CASE("vector_exp is e^x to 4e-16 of itself", "[vector_math]") {
  double worst = 0.0;
  for (int i = 0; i <= 100000; ++i) {
    const double x = -708.0 + 1417.0 * i / 100000.0;
    worst = std::max(worst, std::abs(kernels::vector_exp(x) / std::exp(x) - 1.0));
  }
  CHECK(worst < 4e-16);
  CHECK(kernels::vector_exp(0.0) == 1.0);
  CHECK(kernels::vector_exp(1e-300) == 1.0);
}

TEST_CASE("vector_exp ends where doubles do, and NaN remains NaN", "[vector_math]") {
  for (const double x : {-708.5, -1e9, -1e300, -double{kInfinity}}) {
    CHECK(kernels::vector_exp(x) == kernels::vector_exp(-708.0));
  }
  for (const double x : {709.5, 1e300, double{kInfinity}}) {
    CHECK(kernels::vector_exp(x) == kernels::vector_exp(709.0));
  }
  CHECK(std::isnan(kernels::vector_exp(std::nan(""))));
}

TEST_CASE("vector_log1p is log(1 + x) to 5e-16 of itself, from 0 to 1", "[vector_math]") {
  double worst = 0.0;
  for (int i = 1; i <= 100000; ++i) {
    for (const double x : {i / 100000.0, i / 100000.0 * 1e-9, std::ldexp(1.0, -i % 1000)}) {
      worst = std::max(worst, std::abs(kernels::vector_log1p(x) / std::log1p(x) - 1.0));
    }
  }
  CHECK(worst < 5e-16);
  CHECK(kernels::vector_log1p(0.0) == 0.0);
  CHECK(std::isnan(kernels::vector_log1p(std::nan(""))));
}

}  // namespace drape::tests
