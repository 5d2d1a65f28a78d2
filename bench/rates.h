// What this machine does at best: the limits that kernels are compared with.
#pragma once

#include "kernels/backend.h"

namespace drape::bench {

/// copy: bytes/s, read and written, of arrays that no cache holds. product: flop/s of a large f32
/// matrix product by the vendor's library, with the arithmetic that the device is set to.
struct Rates {
  double copy = 0.0, product = 0.0;

  /// The least seconds for so many bytes and operations.
  double limit(double bytes, double flop) const;
};

/// The best of several runs, with all threads.
double copy_rate(Device device);
double product_rate(Device device);

}  // namespace drape::bench
