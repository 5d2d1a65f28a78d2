// From images to rows.
#pragma once

#include "layers/module.h"

namespace drape {

/// The same elements as [N, rest] of x [N, ...], in memory order (h, w, c for images); nothing is
/// copied.
Tensor flatten(const Tensor& x);

class Flatten : public Module {
 public:
  Tensor forward(const Tensor& x, const Pass&) override { return flatten(x); }
  Shape output_shape(const Shape& x) const override;
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;
};

}  // namespace drape
