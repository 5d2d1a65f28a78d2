#include "models/standard.h"

#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"

namespace drape {

Sequential standard_cnn() {
  const Conv2dOptions same{.padding = 1, .activation = Activation::relu};
  Sequential model;
  model
      .add("conv1", Conv2d(1, 32, 3, same))                       // [N,28,28,32]
      .add("pool1", MaxPool2d({.window = 2}))                     // [N,14,14,32]
      .add("conv2", Conv2d(32, 64, 3, same))                      // [N,14,14,64]
      .add("pool2", MaxPool2d({.window = 2}))                     // [N,7,7,64]
      .add("flatten", Flatten())                                  // [N,3136]
      .add("linear1", Linear(7 * 7 * 64, 128, Activation::relu))  // [N,128]
      .add("linear2", Linear(128, 10));                           // [N,10]
  return model;
}

}  // namespace drape
