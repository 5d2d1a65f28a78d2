// Deformable convolution, Dai et al. 2017 (arXiv:1703.06211); with a mask, the modulated one of Zhu
// et al. 2019 (arXiv:1811.11168).
#pragma once

#include <string>

#include "kernels/deform_conv2d.h"
#include "layers/conv2d.h"

namespace drape {

struct DeformConv2dOptions {
  Size2 stride{1};
  Size2 padding{0};
  Size2 dilation{1};
  std::int64_t groups = 1;
  std::int64_t offset_groups = 1;
  Activation activation = Activation::none;
  Pooling pooling = Pooling::none;
};

/// The formula of kernels/deform_conv2d.h. mask and b may be empty Tensors: a mask of ones, no
/// bias.
///   x [N,H,W,C]   offset [N,P,Q,2*G*R*S]   mask [N,P,Q,G*R*S]   w [K,R,S,C/groups]
///   b [K]   y [N,P,Q,K]
/// The last axis of offset is (group, tap, (dy, dx)), that of mask (group, tap), as torchvision's
/// channels. Beside x in bf16 both are in f32; those in bf16 are cast to it.
Tensor deform_conv2d(const Tensor& x, const Tensor& offset, const Tensor& mask, const Tensor& w,
                     const Tensor& b, const DeformConv2dOptions& options = {});

/// Whether an ordinary convolution, followed by a sigmoid, predicts a mask too: DCNv2.
enum class Modulation { none, masked };

/// A deformable convolution and the ordinary convolutions that predict its offsets and, with
/// modulation, its mask. These start at zero, so that training starts as an ordinary convolution
/// (section 2.1 of the paper) or, with a mask, as half of one.
class DeformConv2d : public Module {
 public:
  /// `out` square filters of size filter x filter over `in` channels, with a bias.
  DeformConv2d(std::int64_t in, std::int64_t out, std::int64_t filter,
               const DeformConv2dOptions& options = {}, Modulation modulation = Modulation::none);

  Tensor forward(const Tensor& x, const Pass& pass) override;
  /// Where the taps sample x, in input pixels from where an ordinary convolution's do:
  /// [N,P,Q,2*G*R*S], without gradients.
  Tensor offsets(const Tensor& x) const;
  Shape output_shape(const Shape& x) const override;
  /// Includes the predicting convolutions, and four per sampled value for the interpolation.
  std::int64_t multiply_adds(const Shape& x) const override;
  void initialize(Generator& random) override;
  void visit(const Visitor& visit) override;
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;

 private:
  // The name of the mask for x in ONNX.
  std::string onnx_mask(OnnxGraph& graph, const OnnxValue& x) const;

  DeformConv2dOptions options_;
  Tensor offset_weight_, offset_bias_, weight_, bias_;
  Tensor mask_weight_, mask_bias_;  // empty without modulation
};

/// Runs a network on x in eval mode, returns the result, and calls body(name, layer, its input) for
/// every deformable convolution that is one of the network's modules, or of a Sequential's in it.
Tensor each_deformable(
    Sequential& network, const Tensor& x,
    const std::function<void(const std::string& name, DeformConv2d& layer, const Tensor& x)>& body);

}  // namespace drape
