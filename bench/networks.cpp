#include "bench/networks.h"

#include "core/check.h"
#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"

namespace drape::bench {

Sequential growing_network(std::string_view name, std::int64_t size, std::int64_t channels) {
  DRAPE_CHECK(name == "conv" || name == "deform", "network: expected conv or deform, got {}", name);
  Sequential model;
  if (name == "conv") {
    const Conv2dOptions same{.padding = 1, .activation = Activation::relu};
    model.add("conv1", Conv2d(1, channels, 3, same));
    model.add("conv2", Conv2d(channels, channels, 3, same));
  } else {
    const DeformConv2dOptions same{.padding = 1, .activation = Activation::relu};
    model.add("conv1", DeformConv2d(1, channels, 3, same));
    model.add("conv2", DeformConv2d(channels, channels, 3, same));
  }
  model.add("pool", MaxPool2d({.window = 2}))
      .add("flatten", Flatten())
      .add("linear", Linear((size / 2) * (size / 2) * channels, 10));
  return model;
}

}  // namespace drape::bench
