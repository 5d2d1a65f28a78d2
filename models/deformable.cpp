#include "models/deformable.h"

#include "layers/deform_conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"

namespace drape {

Sequential deformable_cnn() {
  const DeformConv2dOptions pooled{
      .padding = 1, .activation = Activation::relu, .pooling = Pooling::max_2x2};
  Sequential model;
  model
      .add("conv1", DeformConv2d(1, 32, 3, pooled))                   // [N,14,14,32]
      .add("conv2", DeformConv2d(32, 64, 3, pooled))                  // [N,7,7,64]
      .add("flatten", Flatten())                                      // [N,3136]
      .add("linear1", Linear(7 * 7 * 64, 128))                        // [N,128]
      .add("linear2", Linear(128, 10, {.input = Activation::relu}));  // [N,10]
  return model;
}

}  // namespace drape
