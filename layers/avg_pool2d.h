// Average pooling.
#pragma once

#include "layers/module.h"
#include "layers/pool2d.h"

namespace drape {

/// The mean of each window and channel, padding counted as zeros; formula: kernels/avg_pool2d.h.
///   x [N,H,W,C]   y [N,P,Q,C]
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options = {});

class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(const Pool2dOptions& options = {}) : options_(options) {}

  Tensor forward(const Tensor& x, const Pass&) override { return avg_pool2d(x, options_); }
  Shape output_shape(const Shape& x) const override;
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;

 private:
  Pool2dOptions options_;
};

}  // namespace drape
