#include "models/enhanced.h"

#include "layers/batch_norm.h"
#include "layers/deform_conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"

namespace drape {

Sequential enhanced_cnn(double dropout) {
  const DeformConv2dOptions same{.padding = 1};
  Sequential model;
  model
      .add("conv1", DeformConv2d(1, 32, 3, same))                     // [N,28,28,32]
      .add("norm1", BatchNorm(32, {.activation = Activation::relu}))  // [N,28,28,32]
      .add("pool1", MaxPool2d({.window = 2}))                         // [N,14,14,32]
      .add("conv2", DeformConv2d(32, 64, 3, same))                    // [N,14,14,64]
      .add("norm2", BatchNorm(64, {.activation = Activation::relu}))  // [N,14,14,64]
      .add("pool2", MaxPool2d({.window = 2}))                         // [N,7,7,64]
      .add("flatten", Flatten())                                      // [N,3136]
      .add("dropout1", Dropout(dropout))                              // [N,3136]
      .add("linear1", Linear(7 * 7 * 64, 128))                        // [N,128]
      .add("dropout2", Dropout(dropout))                              // [N,128]
      .add("linear2", Linear(128, 10, {.input = Activation::relu}));  // [N,10]
  return model;
}

}  // namespace drape
