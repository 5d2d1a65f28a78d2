// Dense 2-D convolution, LeCun et al. 1998, "Gradient-based learning applied to document
// recognition".
#pragma once

#include "kernels/conv2d.h"
#include "layers/module.h"

namespace drape {

/// What a convolution does to its result on the way out: max_2x2 takes the largest of each 2x2
/// window, as MaxPool2d with a window of 2 does, without writing what it is taken from.
enum class Pooling { none, max_2x2 };

struct Conv2dOptions {
  Size2 stride{1};
  Size2 padding{0};
  Size2 dilation{1};
  std::int64_t groups = 1;
  Activation activation = Activation::none;
  Pooling pooling = Pooling::none;
};

/// y = pooling(activation(b + w * x)), the formula of kernels/conv2d.h. b may be an empty Tensor.
///   x [N,H,W,C]   w [K,R,S,C/groups]   b [K]   y [N,P,Q,K], or [N,P/2,Q/2,K] pooled
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, const Conv2dOptions& options = {});

/// The sizes of conv2d for x and w of these shapes. Error, naming `op`, where they do not fit.
Conv2dGeometry conv2d_geometry(const char* op, const Shape& x, const Shape& w,
                               const Conv2dOptions& options);

/// The shape of such a convolution's result; and where the largest values of its windows are kept,
/// empty without pooling. Error, naming `op`, if there is no window.
Shape output_shape(const char* op, const Conv2dGeometry& geometry, Pooling pooling);
Tensor cells_of(const Tensor& y, Pooling pooling);

/// Adds a convolution's node and what it does on the way out to a graph: `inputs` are those of
/// the node `op`, `attributes` those besides what every convolution has.
OnnxValue onnx_convolution(OnnxGraph& graph, std::string_view op,
                           const std::vector<std::string>& inputs, const Shape& w,
                           const Conv2dOptions& options, const Shape& y,
                           std::vector<OnnxAttribute> attributes = {});

class Conv2d : public Module {
 public:
  /// `out` square filters of size filter x filter over `in` channels, with a bias.
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t filter, const Conv2dOptions& options = {});

  Tensor forward(const Tensor& x, const Pass& pass) override;
  Shape output_shape(const Shape& x) const override;
  std::int64_t multiply_adds(const Shape& x) const override;
  void initialize(Generator& random) override;
  void visit(const Visitor& visit) override;
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;

 private:
  Conv2dOptions options_;
  Tensor weight_, bias_;
};

}  // namespace drape
