// Batch normalisation, fused with the ReLU and the dropout that may follow it.
#pragma once

#include "kernels/activation.h"
#include "layers/module.h"

namespace drape {

/// The trained and the running values, all [C].
struct BatchNormState {
  Tensor gamma, beta, running_mean, running_var;
};

/// momentum m means running = (1 - m) * running + m * batch, with the unbiased variance. dropout is
/// the probability to drop, in train mode alone.
struct BatchNormOptions {
  double momentum = 0.1, epsilon = 1e-5;
  Activation activation = Activation::none;
  double dropout = 0.0;
};

/// y = dropout(activation(gamma * (x - mean) / sqrt(variance + epsilon) + beta)) with statistics
/// over all axes but the last, x [...,C]; kernels/batch_norm.h. Train mode takes them from the
/// batch, biased variance, and brings state.running_* up to date in place: an Error if C has one
/// value. Eval mode takes the running ones as constants. `stream` draws the dropout mask, moved on
/// by `taken` as in layers/dropout.h. Beside x in bf16 the running statistics are in f32; gamma and
/// beta are, or are cast to it.
Tensor batch_norm(const Tensor& x, BatchNormState state, Mode mode,
                  const BatchNormOptions& options = {}, RandomStream stream = {},
                  const std::uint64_t* taken = nullptr);

/// State: weight (gamma, 1 at first), bias (beta, 0), running_mean (0), running_var (1).
class BatchNorm : public Module {
 public:
  explicit BatchNorm(std::int64_t channels, const BatchNormOptions& options = {});

  Tensor forward(const Tensor& x, const Pass& pass) override;
  Shape output_shape(const Shape& x) const override;
  void initialize(Generator& random) override;
  void visit(const Visitor& visit) override;
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;

 private:
  BatchNormState state_;
  BatchNormOptions options_;
};

}  // namespace drape
