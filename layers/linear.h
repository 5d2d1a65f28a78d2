// Fully connected layer.
#pragma once

#include "kernels/linear.h"
#include "layers/module.h"

namespace drape {

/// Activations at either end. `input` does what `output` of the layer before would, and saves a
/// pass over its result.
struct LinearOptions {
  Activation input = Activation::none, output = Activation::none;
};

/// y = output(input(x) w^T + b). b may be an empty Tensor.
///   x [N,C]   w [K,C]   b [K]   y [N,K]
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, const LinearOptions& options = {});

class Linear : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, const LinearOptions& options = {});

  Tensor forward(const Tensor& x, const Pass& pass) override;
  Shape output_shape(const Shape& x) const override;
  std::int64_t multiply_adds(const Shape& x) const override;
  void initialize(Generator& random) override;
  void visit(const Visitor& visit) override;
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;

 private:
  LinearOptions options_;
  Tensor weight_, bias_;
};

}  // namespace drape
