// Dropout: which elements it keeps, and that any part of a tensor draws the same mask.
#include "layers/dropout.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/gradient_check.h"
#include "kernels/dropout_range.h"
#include "tests/catch.h"
#include "tests/compare.h"

namespace drape::tests {

TEST_CASE("dropout keeps the mean", "[dropout]") {
  const std::int64_t count = 1 << 20;
  const Tensor ones = Tensor::full({count}, 1.0);
  for (const double p : {0.1, 0.3, 0.5, 0.9}) {
    double sum = 0.0;
    for (const double value : values(dropout(ones, p, {.seed = 5, .id = 6}))) sum += value;
    // Five standard deviations of a mean of `count` values 1 / (1 - p) with probability 1 - p.
    const double deviation = std::sqrt(p / (1.0 - p) / static_cast<double>(count));
    CHECK(sum / static_cast<double>(count) == Approx(1.0).margin(5.0 * deviation));
  }
}

TEST_CASE("dropout keeps element i iff the stream's number i is at least p", "[dropout]") {
  const RandomStream stream{.seed = 11, .id = 12};
  const Tensor x = noise({37}, {1, 1});
  // A number of the stream itself, and its neighbours, are where a wrong comparison shows.
  const double drawn = stream.uniform(17);
  for (const double p : {0.3, drawn, drawn - 1e-12, drawn + 1e-12}) {
    const std::vector<double> y = values(dropout(x, p, stream));
    for (std::size_t i = 0; i < 37; ++i) {
      const bool kept = static_cast<double>(stream.uniform(i)) >= p;
      CHECK(y[i] == Approx(kept ? values(x)[i] / (1.0 - p) : 0.0).epsilon(1e-15));
    }
  }
}

TEST_CASE("four Philox blocks drawn at once are those drawn one by one", "[dropout]") {
  const RandomStream stream{.seed = 0xFEDCBA9876543210u, .id = 0x89ABCDEF01234567u};
  // Also where the number of a block outgrows 32 bits, between two of the four.
  for (const std::uint64_t block :
       {std::uint64_t{0}, (std::uint64_t{1} << 32) - 2, ~std::uint64_t{3}}) {
    std::vector<std::uint32_t> four(16);
    kernels::words_of_four(stream, block, four.data());
    for (std::uint64_t b = 0; b < 4; ++b) {
      const auto one = stream.words(block + b);
      CHECK(std::equal(one.begin(), one.end(), four.begin() + static_cast<std::ptrdiff_t>(4 * b)));
    }
  }
}

TEST_CASE("dropout of a part of a tensor equals the part of the dropout", "[dropout]") {
  const kernels::DropoutMask mask{.p = 0.4, .stream = {.seed = 2, .id = 3}};
  const std::vector<float> x(50, 1.0f);
  std::vector<float> whole(50);
  kernels::dropout(Cpu{}, mask, x.data(), whole.data(), 50);
  for (std::ptrdiff_t begin = 0; begin <= 50; ++begin) {
    for (std::ptrdiff_t end = begin; end <= 50; ++end) {
      std::vector<float> part(static_cast<std::size_t>(end - begin));
      kernels::dropout_range(mask, begin, end, x.data() + begin, part.data());
      REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + begin));
    }
  }
}

TEST_CASE("dropout with p = 0 is the identity", "[dropout]") {
  Tensor x = noise({3}, {1, 1});
  x.track();
  CHECK(dropout(x, 0.0, {}).data<double>() == x.data<double>());
}

TEST_CASE("dropout refuses probabilities below 0 and from 1 on", "[dropout]") {
  const Tensor x = Tensor::zeros({3});
  CHECK_THROWS_WITH(dropout(x, 1.0, {}), "dropout: expected a probability 0 <= p < 1, got 1");
  CHECK_THROWS_AS(dropout(x, -0.1, {}), Error);
  CHECK_THROWS_AS(dropout(x, std::nan(""), {}), Error);
  CHECK_THROWS_AS(Dropout(1.0), Error);
}

TEST_CASE("a dropout module draws another mask on each forward, and none in eval mode",
          "[dropout]") {
  Dropout layer(0.5);
  Generator random(1, Purpose::dropout), again(1, Purpose::dropout);
  Pass train = Pass::train(random), repeated = Pass::train(again), eval = Pass::eval();
  const Tensor x = Tensor::full({100}, 1.0);
  const Tensor first = layer.forward(x, train), second = layer.forward(x, train);
  CHECK_FALSE(same_bits(first, second));
  CHECK(same_bits(first, layer.forward(x, repeated)));
  CHECK(same_bits(layer.forward(x, eval), x));
  CHECK(layer.output_shape({2, 3}) == Shape{2, 3});
  Pass without{.mode = Mode::train};
  CHECK_THROWS_WITH(layer.forward(x, without),
                    "dropout: expected a generator in train mode, got none");
}

}  // namespace drape::tests
