// Logistic function.
#pragma once

#include "layers/module.h"

namespace drape {

/// y = 1 / (1 + exp(-x)), any shape.
Tensor sigmoid(const Tensor& x);

class Sigmoid : public Module {
 public:
  Tensor forward(const Tensor& x, const Pass&) override { return sigmoid(x); }
  Shape output_shape(const Shape& x) const override { return x; }
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;
};

}  // namespace drape
