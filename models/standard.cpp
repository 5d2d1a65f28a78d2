#include "models/standard.h"

#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"

namespace drape {

Sequential standard_cnn() {
  const Conv2dOptions pooled{
      .padding = 1, .activation = Activation::relu, .pooling = Pooling::max_2x2};
  Sequential model;
  model
      .add("conv1", Conv2d(1, 32, 3, pooled))                         // [N,14,14,32]
      .add("conv2", Conv2d(32, 64, 3, pooled))                        // [N,7,7,64]
      .add("flatten", Flatten())                                      // [N,3136]
      .add("linear1", Linear(7 * 7 * 64, 128))                        // [N,128]
      .add("linear2", Linear(128, 10, {.input = Activation::relu}));  // [N,10]
  return model;
}

}  // namespace drape
