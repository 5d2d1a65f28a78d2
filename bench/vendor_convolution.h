// How fast oneDNN alone convolves on this machine: the yardstick for a whole training step.
#pragma once

#include "kernels/geometry.h"

namespace drape::bench {

/// Seconds of one pass of oneDNN's own convolution over the batch, with its own threads, layouts of
/// its own choice and nothing else: the fastest of several runs.
struct VendorSeconds {
  double forward, backward_data, backward_weights;
};
VendorSeconds time_vendor_convolution(const Conv2dGeometry& geometry, int threads);

}  // namespace drape::bench
