#include "core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "core/check.h"

namespace drape {
namespace {

// Reads a stream front to back.
class Reader {
 public:
  explicit Reader(RandomStream stream) : stream_(stream) {}

  // Uniform in (0, 1), 53 bits: never 0, so that its logarithm is finite.
  double uniform() {
    const std::uint64_t high = stream_.word(position_), low = stream_.word(position_ + 1);
    position_ += 2;
    return (static_cast<double>((high << 21) | (low >> 11)) + 0.5) * 0x1p-53;
  }

  // Standard normal (Box & Muller 1958).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  RandomStream stream_;
  std::uint64_t position_ = 0;
};

// Natural logarithm of a Gamma(alpha, 1) draw (Marsaglia & Tsang 2000, with their boost for alpha <
// 1). The logarithm keeps tiny alphas, whose draws underflow, apart from zero.
double log_gamma_draw(Reader& reader, double alpha) {
  double boost = 0.0;
  if (alpha < 1.0) {
    boost = std::log(reader.uniform()) / alpha;
    alpha += 1.0;
  }
  const double d = alpha - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = reader.normal();
    const double root = 1.0 + c * x;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (std::log(reader.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
      return boost + std::log(d * v);
  }
}

}  // namespace

std::vector<std::int32_t> permutation(RandomStream stream, std::int64_t count) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = count - 1; i > 0; --i) {
    // floor(word * (i + 1) / 2^32): bias below 2^-32 * count.
    const std::uint64_t word = stream.word(static_cast<std::uint64_t>(i));
    const auto j = static_cast<std::int64_t>((word * static_cast<std::uint64_t>(i + 1)) >> 32);
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
  }
  return order;
}

double beta_draw(RandomStream stream, double alpha) {
  // Logarithms of smaller ones' draws are infinite.
  DRAPE_CHECK(alpha >= 1e-300 && std::isfinite(alpha),
              "beta_draw: expected a finite alpha >= 1e-300, got {}", alpha);
  Reader reader(stream);
  const double a = log_gamma_draw(reader, alpha), b = log_gamma_draw(reader, alpha);
  return 1.0 / (1.0 + std::exp(b - a));
}

}  // namespace drape
