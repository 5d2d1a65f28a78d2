// The host's door to Philox: a generator hands out streams, one per use, in order.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/philox.h"

namespace drape {

/// What a generator is for. Each purpose owns a range of stream ids, so that drawing more of one
/// kind of numbers never changes another kind.
enum class Purpose : std::uint64_t {
  initialization,
  shuffle,
  dropout,
  mixup,
  split,
  synthetic,
  augmentation
};

/// A sequence of Philox streams: (seed, purpose << 48 | 0), (seed, purpose << 48 | 1), ...
/// Its whole state is the seed and the id of the next stream.
class Generator {
 public:
  Generator(std::uint64_t seed, Purpose purpose)
      : next_{seed, static_cast<std::uint64_t>(purpose) << 48} {}

  /// A stream that this generator never hands out again.
  RandomStream next() {
    const RandomStream stream = next_;
    ++next_.id;
    return stream;
  }

  /// The stream that next() would return: what a checkpoint stores.
  RandomStream state() const { return next_; }
  void restore(RandomStream state) { next_ = state; }

 private:
  RandomStream next_;
};

/// A uniformly random permutation of 0 ... count-1 (Fisher-Yates, Durstenfeld 1964), drawn from one
/// stream.
std::vector<std::int32_t> permutation(RandomStream stream, std::int64_t count);

/// One draw of Beta(alpha, alpha), alpha >= 1e-300, as G1 / (G1 + G2) with Gamma draws by Marsaglia
/// & Tsang 2000.
double beta_draw(RandomStream stream, double alpha);

}  // namespace drape
