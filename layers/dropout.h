// Dropout.
#pragma once

#include "layers/module.h"

namespace drape {

/// Drops elements with probability p, 0 <= p < 1, and divides the others by 1 - p;
/// kernels/dropout.h. x itself if p = 0.
Tensor dropout(const Tensor& x, double p, RandomStream stream,
               const std::uint64_t* taken = nullptr);

/// Dropout in train mode, with the next stream of pass.random; the identity in eval mode.
class Dropout : public Module {
 public:
  explicit Dropout(double p);

  Tensor forward(const Tensor& x, const Pass& pass) override;
  Shape output_shape(const Shape& x) const override { return x; }
  OnnxValue onnx(OnnxGraph&, const OnnxValue& x) const override { return x; }

 private:
  double p_;
};

/// The stream of one dropout mask: the next of pass.random. Error naming `op` if that is null.
RandomStream dropout_stream(const char* op, const Pass& pass);

}  // namespace drape
