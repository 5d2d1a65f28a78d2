#include "data/mixup.h"

#include <cmath>

#include "core/check.h"

namespace drape {

MixUp::MixUp(double alpha) : alpha_(alpha) {
  DRAPE_CHECK(alpha >= 0.0 && std::isfinite(alpha), "mixup: expected a finite alpha >= 0, got {}",
              alpha);
}

Mix MixUp::draw(Generator& random, std::int64_t rows) const {
  if (!on()) return {};
  const RandomStream share = random.next(), order = random.next();
  return {beta_draw(share, alpha_), permutation(order, rows)};
}

}  // namespace drape
