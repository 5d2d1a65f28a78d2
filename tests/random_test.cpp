// Philox against known answers, and the distributions made from it.
#include "core/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "core/check.h"
#include "tests/catch.h"
#include "tests/goldens.h"

namespace drape::tests {

TEST_CASE("Philox gives the words its authors publish", "[random]") {
  const std::array<std::uint32_t, 4> zero = RandomStream{.seed = 0, .id = 0}.words(0);
  CHECK(zero == std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint64_t kOnes = ~std::uint64_t{0};
  const std::array<std::uint32_t, 4> ones = RandomStream{.seed = kOnes, .id = kOnes}.words(kOnes);
  CHECK(ones == std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("Philox equals an implementation in another language", "[random]") {
  for (const auto& golden : golden_cases("philox")) {
    const RandomStream stream{.seed = golden.at("seed"), .id = golden.at("id")};
    const auto words = golden.at("words").get<std::array<std::uint32_t, 4>>();
    CHECK(stream.words(golden.at("block").get<std::uint64_t>()) == words);
  }
}

TEST_CASE("elements of a stream are the words of its blocks in order", "[random]") {
  const RandomStream stream{.seed = 5, .id = 6};
  for (std::uint64_t i = 0; i < 20; ++i) {
    CHECK(stream.word(i) == stream.words(i / 4)[i % 4]);
    CHECK(stream.uniform(i) == static_cast<float>(stream.word(i) >> 8) / 16777216.0f);
  }
  CHECK(RandomStream::to_uniform(0) == 0.0f);
  CHECK(RandomStream::to_uniform(0xffffffff) < 1.0f);
}

TEST_CASE("uniform numbers have the moments of U(0, 1)", "[random]") {
  constexpr std::uint64_t kCount = 1 << 18;
  double sum = 0.0, squares = 0.0, neighbours = 0.0;
  const RandomStream stream{.seed = 5, .id = 7};
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double u = static_cast<double>(stream.uniform(i)) - 0.5;
    sum += u, squares += u * u;
    neighbours += u * (static_cast<double>(stream.uniform(i + 1)) - 0.5);
  }
  // Five standard deviations.
  const double root = std::sqrt(static_cast<double>(kCount));
  CHECK(sum / kCount == Approx(0.0).margin(5.0 * std::sqrt(1.0 / 12.0) / root));
  CHECK(squares / kCount == Approx(1.0 / 12.0).margin(5.0 * std::sqrt(1.0 / 180.0) / root));
  CHECK(neighbours / kCount == Approx(0.0).margin(5.0 / 12.0 / root));
}

TEST_CASE("a generator never hands out a stream twice, whatever the purpose", "[random]") {
  std::set<std::uint64_t> ids;
  for (const Purpose purpose :
       {Purpose::initialization, Purpose::shuffle, Purpose::dropout, Purpose::mixup, Purpose::split,
        Purpose::synthetic, Purpose::augmentation}) {
    Generator random(1, purpose);
    for (int i = 0; i < 100; ++i) ids.insert(random.next().id);
  }
  CHECK(ids.size() == 700);
}

TEST_CASE("a generator goes on from its saved state", "[random]") {
  Generator random(1, Purpose::shuffle), other(2, Purpose::mixup);
  random.next();
  other.restore(random.state());
  const RandomStream expected = random.next(), got = other.next();
  CHECK(expected.seed == got.seed);
  CHECK(expected.id == got.id);
}

TEST_CASE("a permutation has every number once", "[random]") {
  for (std::int64_t count = 0; count < 70; ++count) {
    const std::vector<std::int32_t> order =
        permutation({1, static_cast<std::uint64_t>(count)}, count);
    std::vector<std::int32_t> sorted = order;
    std::ranges::sort(sorted);
    REQUIRE(static_cast<std::int64_t>(sorted.size()) == count);
    for (std::int32_t i = 0; i < count; ++i) REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("all permutations are equally likely", "[random]") {
  std::array<int, 27> counts{};
  constexpr int kDraws = 60000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const std::vector<std::int32_t> order = permutation({4, i}, 3);
    const std::int32_t digits = 9 * order[0] + 3 * order[1] + order[2];
    ++counts[static_cast<std::size_t>(digits)];
  }
  // Six of them, 10,000 each; five standard deviations are 456.
  CHECK(std::ranges::count_if(counts, [](int count) { return count > 0; }) == 6);
  for (const int count : counts) CHECK((count == 0 || std::abs(count - 10000) < 456));
}

TEST_CASE("Beta(1, 1) is uniform", "[random]") {
  constexpr int kDraws = 40000;
  std::array<int, 10> tenths{};
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    ++tenths[static_cast<std::size_t>(std::min(9.0, 10.0 * beta_draw({7, i}, 1.0)))];
  }
  // 4,000 each; five standard deviations are 300.
  for (const int count : tenths) CHECK(std::abs(count - 4000) < 300);
}

TEST_CASE("Beta draws of extreme alpha are numbers of [0, 1], near its ends or its middle",
          "[random]") {
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const double spread = beta_draw({8, i}, 1e-3), tight = beta_draw({9, i}, 1e6);
    REQUIRE((spread >= 0.0 && spread <= 1.0));
    REQUIRE(std::abs(tight - 0.5) < 0.01);
  }
  int middle = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const double draw = beta_draw({8, i}, 1e-3);
    middle += draw > 0.01 && draw < 0.99 ? 1 : 0;
  }
  CHECK(middle < 30);  // probability 0.0046 each
  CHECK_THROWS_WITH(beta_draw({1, 1}, 0.0), "beta_draw: expected a finite alpha >= 1e-300, got 0");
  CHECK_THROWS_AS(beta_draw({1, 1}, std::nan("")), Error);
}

}  // namespace drape::tests
