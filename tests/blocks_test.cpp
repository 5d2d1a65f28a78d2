// Blocks that are kept: handed out again, and not without bounds.
#include "kernels/blocks.h"

#include <algorithm>
#include <cstdlib>

#include "tests/catch.h"

namespace drape::tests {
namespace {

// Counts what it gave and did not get back.
struct Source {
  kernels::BlockSource source(std::int64_t spare) {
    return {
        .bounds = 64,
        .place = "",
        .take = [this](std::size_t bytes) { return held += bytes, std::malloc(bytes); },
        .give_back = [this](void* block, std::size_t bytes) { held -= bytes, std::free(block); },
        .spare = spare};
  }
  std::size_t held = 0;
};

}  // namespace

TEST_CASE("blocks of ever other sizes are held up to twice the peak and what is spared",
          "[memory]") {
  constexpr std::int64_t kSpare = 1 << 14;
  Source system;
  kernels::Blocks blocks(system.source(kSpare), kernels::AfterUse::keep);
  std::size_t most = 0;
  for (std::size_t i = 1; i <= 300; ++i) {
    const std::size_t bytes = 64 * (i * 37 % 301);
    blocks.give_back(blocks.take(bytes), bytes);
    most = std::max(most, system.held);
  }
  CHECK(static_cast<std::int64_t>(most) <= 2 * blocks.use().peak_bytes + kSpare);
  CHECK(static_cast<std::int64_t>(most) > blocks.use().peak_bytes);  // some are kept
  blocks.trim();
  CHECK(system.held == 0);
}

TEST_CASE("steps of the same sizes ask for no block after the first", "[memory]") {
  Source system;
  kernels::Blocks blocks(system.source(0), kernels::AfterUse::keep);
  const auto step = [&] {
    void* const first = blocks.take(1000);
    void* const second = blocks.take(3000);
    blocks.give_back(first, 1000);
    void* const third = blocks.take(2000);
    blocks.give_back(second, 3000);
    blocks.give_back(third, 2000);
  };
  step();
  const std::int64_t asked = blocks.use().from_system;
  for (int i = 0; i < 10; ++i) step();
  CHECK(blocks.use().from_system == asked);
}

}  // namespace drape::tests
