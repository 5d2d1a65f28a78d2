// The gradient of deformable convolution's weights.
#include "kernels/deform_backward.cuh"
#include "kernels/patch_weight.cuh"

namespace drape::kernels {

template <class T>
void deform_weight_gradient(Cuda cuda, const Problem<T>& p, const T* dz, T* dw, T* db) {
  constexpr int kDepth = kGradientDepth;
  with_tile<kColumns, T>(cuda, [&]<class Tile>() {
    const auto with_sampler = [&]<class Sampler, int blocks>() {
      patch_weight_gradient<Sampler, blocks, Tile>(cuda, "deform_conv2d_weight", p, dz, dw, db);
    };
    if (p.few_channels()) {
      with_sampler.template operator()<PatchSampler<kDepth, Tile, T>, 2>();
    } else if (p.vectors_fit()) {
      using Sampler = TapSampler<kVector<T>, kDepth, kTileThreads, 1, Tile, T>;
      with_sampler.template operator()<Sampler, sizeof(T) == 4 ? 3 : 2>();
    } else {
      with_sampler.template operator()<TapSampler<1, kDepth, kTileThreads, 1, Tile, T>, 2>();
    }
  });
}

template void deform_weight_gradient(Cuda, const Problem<float>&, const float*, float*, float*);
template void deform_weight_gradient(Cuda, const Problem<double>&, const double*, double*, double*);
template void deform_weight_gradient(Cuda, const Problem<BFloat16>&, const BFloat16*, BFloat16*,
                                     BFloat16*);

}  // namespace drape::kernels
