#include "models/deep.h"

#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"

namespace drape {

Sequential deep_cnn() {
  const Conv2dOptions same{.padding = 1, .activation = Activation::relu};
  Conv2dOptions pooled = same;
  pooled.pooling = Pooling::max_2x2;
  Sequential model;
  model
      .add("conv1", Conv2d(1, 32, 3, pooled))                         // [N,14,14,32]
      .add("conv2", Conv2d(32, 64, 3, pooled))                        // [N,7,7,64]
      .add("conv3", Conv2d(64, 128, 3, same))                         // [N,7,7,128]
      .add("conv4", Conv2d(128, 256, 3, same))                        // [N,7,7,256]
      .add("flatten", Flatten())                                      // [N,12544]
      .add("linear1", Linear(7 * 7 * 256, 128))                       // [N,128]
      .add("linear2", Linear(128, 10, {.input = Activation::relu}));  // [N,10]
  return model;
}

}  // namespace drape
