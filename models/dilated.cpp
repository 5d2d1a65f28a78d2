#include "models/dilated.h"

#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"

namespace drape {

Sequential dilated_cnn(std::int64_t dilation) {
  const Conv2dOptions pooled{
      .padding = 1, .activation = Activation::relu, .pooling = Pooling::max_2x2};
  Conv2dOptions dilated = pooled;
  dilated.padding = dilated.dilation = dilation;
  Sequential model;
  model
      .add("conv1", Conv2d(1, 32, 3, pooled))                         // [N,14,14,32]
      .add("conv2", Conv2d(32, 64, 3, dilated))                       // [N,7,7,64]
      .add("flatten", Flatten())                                      // [N,3136]
      .add("linear1", Linear(7 * 7 * 64, 128))                        // [N,128]
      .add("linear2", Linear(128, 10, {.input = Activation::relu}));  // [N,10]
  return model;
}

}  // namespace drape
