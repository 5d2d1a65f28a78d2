// Division that rounds up.
#pragma once

#include <type_traits>

#include "kernels/host_device.h"

namespace drape::kernels {

/// How many groups of at most `each` hold `items`: ceil(items / each), for items >= 0, each > 0.
template <class T>
DRAPE_HOST_DEVICE constexpr T ceil_div(T items, std::type_identity_t<T> each) {
  return (items + each - 1) / each;
}

}  // namespace drape::kernels
