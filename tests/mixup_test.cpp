// MixUp: its algebra on a batch, and the distribution of what it draws.
#include "data/mixup.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/batches.h"
#include "tests/catch.h"
#include "tests/compare.h"

namespace drape::tests {
namespace {

Tensor random_bytes(const Shape& shape, std::uint64_t id, std::uint32_t below) {
  Tensor t = Tensor::uninitialized(shape, DType::u8);
  for (std::int64_t i = 0; i < t.size(); ++i) {
    t.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(
        RandomStream{.seed = 6, .id = id}.word(static_cast<std::uint64_t>(i)) % below);
  }
  return t;
}

const std::vector<std::int32_t> kIndices{4, 19, 0, 7, 7};
const std::vector<std::int32_t> kOrder{2, 0, 4, 3, 1};

Batch mixed(double lambda, DType dtype = DType::f64) {
  return gather_batch(random_bytes({20, 3, 5, 2}, 1, 256), random_bytes({20}, 2, 10), kIndices, 10,
                      {.lambda = lambda, .order = kOrder}, dtype);
}

}  // namespace

TEST_CASE("a mixed batch is lambda times the batch plus the rest times its partners", "[mixup]") {
  const Batch plain = mixed(1.0), other = mixed(0.0);
  for (const double lambda : {0.25, 0.5, 0.9}) {
    const Batch batch = mixed(lambda);
    for (const auto part : {&Batch::x, &Batch::targets}) {
      const std::vector<double> a = values(plain.*part), b = values(other.*part);
      const std::vector<double> both = values(batch.*part);
      for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK(both[i] == Approx(lambda * a[i] + (1.0 - lambda) * b[i]).margin(1e-15));
      }
    }
    CHECK(same_bits(batch.labels, plain.labels));
  }
}

TEST_CASE("the partners of a mixed batch are its own rows in another order", "[mixup]") {
  const Batch plain = mixed(1.0), other = mixed(0.0);
  const std::size_t pixels = 30;
  const std::vector<double> x = values(plain.x), partners = values(other.x);
  for (std::size_t n = 0; n < kOrder.size(); ++n) {
    const auto from = static_cast<std::size_t>(kOrder[n]) * pixels;
    for (std::size_t p = 0; p < pixels; ++p) CHECK(partners[n * pixels + p] == x[from + p]);
  }
}

TEST_CASE("mixed targets add up to one", "[mixup]") {
  const std::vector<double> targets = values(mixed(0.3).targets);
  for (std::size_t row = 0; row < targets.size(); row += 10) {
    double sum = 0.0;
    for (std::size_t k = 0; k < 10; ++k) sum += targets[row + k];
    CHECK(sum == Approx(1.0));
  }
}

TEST_CASE("lambda = 1 gives the bits of an unmixed batch", "[mixup]") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Batch plain = gather_batch(random_bytes({20, 3, 5, 2}, 1, 256), random_bytes({20}, 2, 10),
                                     kIndices, 10, {}, dtype);
    CHECK(same_bits(mixed(1.0, dtype).x, plain.x));
    CHECK(same_bits(mixed(1.0, dtype).targets, plain.targets));
  }
}

TEST_CASE("MixUp draws lambda from Beta(alpha, alpha)", "[mixup]") {
  // Mean 1/2, variance 1 / (4 (2 alpha + 1)); bounds of five standard deviations of 20,000 draws.
  for (const double alpha : {0.2, 1.0, 4.0}) {
    const MixUp mixup(alpha);
    Generator random(3, Purpose::mixup);
    double sum = 0.0, squares = 0.0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
      const double lambda = mixup.draw(random, 2).lambda;
      CHECK((lambda >= 0.0 && lambda <= 1.0));
      sum += lambda - 0.5, squares += (lambda - 0.5) * (lambda - 0.5);
    }
    const double variance = 1.0 / (4.0 * (2.0 * alpha + 1.0));
    CHECK(sum / kDraws == Approx(0.0).margin(5.0 * std::sqrt(variance / kDraws)));
    CHECK(squares / kDraws == Approx(variance).margin(5.0 * 0.25 / std::sqrt(kDraws)));
  }
}

TEST_CASE("MixUp draws an order of all rows, another for each batch", "[mixup]") {
  const MixUp mixup(1.0);
  Generator random(3, Purpose::mixup), again(3, Purpose::mixup);
  const Mix first = mixup.draw(random, 64);
  CHECK(random.state().id == again.state().id + 2);  // one stream for lambda, one for the order
  const Mix second = mixup.draw(random, 64);
  std::vector<std::int32_t> sorted = first.order;
  std::ranges::sort(sorted);
  for (std::int32_t i = 0; i < 64; ++i) CHECK(sorted[static_cast<std::size_t>(i)] == i);
  CHECK(first.order != second.order);
  CHECK(first.lambda != second.lambda);
  CHECK(mixup.draw(again, 64).order == first.order);
}

TEST_CASE("alpha = 0 switches mixing off and draws nothing", "[mixup]") {
  Generator random(3, Purpose::mixup);
  const MixUp off(0.0);
  CHECK_FALSE(off.on());
  CHECK(off.draw(random, 64).order.empty());
  CHECK(random.state().id == Generator(3, Purpose::mixup).state().id);
  CHECK(MixUp(0.1).on());
}

TEST_CASE("MixUp refuses an alpha that is negative or not finite", "[mixup]") {
  CHECK_THROWS_WITH(MixUp(-1.0), "mixup: expected a finite alpha >= 0, got -1");
  CHECK_THROWS_AS(MixUp(std::nan("")), Error);
  CHECK_THROWS_AS(MixUp(std::numeric_limits<double>::infinity()), Error);
}

}  // namespace drape::tests
