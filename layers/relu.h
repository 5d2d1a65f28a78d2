// Rectified linear unit.
#pragma once

#include "layers/module.h"

namespace drape {

/// y = max(x, 0), any shape; the derivative at 0 is 0.
Tensor relu(const Tensor& x);

class Relu : public Module {
 public:
  Tensor forward(const Tensor& x, const Pass&) override { return relu(x); }
  Shape output_shape(const Shape& x) const override { return x; }
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;
};

}  // namespace drape
