// The first of some examples, as a model takes them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "optim/metrics.h"

namespace drape {

/// A batch of the first `count` examples, or of all where there are fewer.
inline Batch first_batch(const Examples& examples, std::int64_t count, Module& model) {
  const auto size = static_cast<std::size_t>(std::min(count, examples.size()));
  return gather_batch(examples.images, examples.labels, std::span(examples.indices).first(size),
                      examples.classes, {}, compute_type(model));
}

}  // namespace drape
