// Max pooling.
#pragma once

#include "layers/module.h"
#include "layers/pool2d.h"

namespace drape {

/// The maximum of each window and channel; formula and ties: kernels/max_pool2d.h. A window has at
/// most 256 cells.
///   x [N,H,W,C]   y [N,P,Q,C]
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options = {});

class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const Pool2dOptions& options = {}) : options_(options) {}

  Tensor forward(const Tensor& x, const Pass&) override { return max_pool2d(x, options_); }
  Shape output_shape(const Shape& x) const override;
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;

 private:
  Pool2dOptions options_;
};

}  // namespace drape
