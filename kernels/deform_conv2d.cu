// Deformable convolution, forward. Backward in deform_conv2d_points.cu and deform_conv2d_weight.cu.
#include "kernels/deform_conv2d.h"

#include "kernels/deform_backward.cuh"
#include "kernels/patch_forward.cuh"

namespace drape::kernels {
namespace {

// Tiles of 64 filters are for all; of fewer and more for tensor cores, of more where they are fed
// by vectors.
template <int filters, class T>
void start(Cuda cuda, const Problem<T>& p, const Conv2dOutput<T>& out) {
  with_tile<filters, T>(cuda, [&]<class Tile>() {
    const auto with_sampler = [&]<class Sampler, int blocks>() {
      patch_forward<Sampler, Filters::plain, filters, blocks, Tile>(cuda, "deform_conv2d_forward",
                                                                    p, out);
    };
    if constexpr (Tile::kTensorCores || filters == 64) {
      if (p.vectors_fit() && !p.few_channels()) {
        using Sampler = TapSampler<kVector<T>, kTileRows, kTileRows, kSets, Tile, T>;
        constexpr int kBlocks = Tile::kTensorCores && filters == 64 ? 3 : 2;
        return with_sampler.template operator()<Sampler, kBlocks>();
      }
    }
    if constexpr (filters == 64 || (Tile::kTensorCores && filters < 64)) {
      using OneByOne = TapSampler<1, kTileRows, kTileRows, kSets, Tile, T>;
      p.few_channels() ? with_sampler.template operator()<PatchSampler<kTileRows, Tile, T>, 2>()
                       : with_sampler.template operator()<OneByOne, 2>();
    }
  });
}

}  // namespace

template <class T>
void deform_conv2d_forward(Cuda cuda, const DeformConv2dGeometry& geometry,
                           const DeformConv2dInputs<T>& in, const Conv2dOutput<T>& out) {
  const Problem<T> p(geometry, in, out.cell == nullptr ? Rows::pixels : Rows::windows);
  if (uses_tensor_cores<T>(cuda)) {
    if (p.filters <= 32) return start<32>(cuda, p, out);
    if (p.filters > 64 && p.vectors_fit() && !p.few_channels()) return start<128>(cuda, p, out);
  }
  start<64>(cuda, p, out);
}

template <class T>
void deform_conv2d_backward(Cuda cuda, const DeformConv2dGeometry& geometry,
                            const DeformConv2dInputs<T>& in, const Conv2dOutput<const T>& out,
                            const T* dy, const DeformConv2dGradients<T>& d) {
  const Problem<T> p(geometry, in, Rows::pixels);
  const OutputGradient<T> gradient(cuda, p.g, out, dy, d.db);
  if (d.dx != nullptr || d.d_offset != nullptr || d.d_mask != nullptr)
    deform_point_gradients(cuda, p, gradient.dz(), {d.d_offset, d.d_mask}, d.dx);
  if (d.dw != nullptr) {
    deform_weight_gradient(cuda, p, gradient.dz(), d.dw, gradient.db());
  } else if (gradient.db() != nullptr) {
    column_sums(cuda, p.pixels, p.g.K, gradient.dz(), gradient.db());
  }
}

template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<float>&, const Conv2dOutput<float>&);
template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<double>&, const Conv2dOutput<double>&);
template void deform_conv2d_forward(Cuda, const DeformConv2dGeometry&,
                                    const DeformConv2dInputs<BFloat16>&,
                                    const Conv2dOutput<BFloat16>&);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<float>&,
                                     const Conv2dOutput<const float>&, const float*,
                                     const DeformConv2dGradients<float>&);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<double>&,
                                     const Conv2dOutput<const double>&, const double*,
                                     const DeformConv2dGradients<double>&);
template void deform_conv2d_backward(Cuda, const DeformConv2dGeometry&,
                                     const DeformConv2dInputs<BFloat16>&,
                                     const Conv2dOutput<const BFloat16>&, const BFloat16*,
                                     const DeformConv2dGradients<BFloat16>&);

}  // namespace drape::kernels
