#include "kernels/multi_tensor.cuh"
#include "kernels/sgd_step.h"

namespace drape::kernels {

template <class T>
void sgd_step(Cuda cuda, std::span<const SgdTensor<T>> tensors, const SgdOptions& options,
              double learning_rate) {
  const auto rate = static_cast<T>(learning_rate), decay = static_cast<T>(options.weight_decay);
  const auto momentum = static_cast<T>(options.momentum);
  const bool nesterov = options.form == Momentum::nesterov;
  for_each_element(cuda, "sgd_step", tensors,
                   [=] __device__(const SgdTensor<T>& tensor, std::int64_t i) {
                     T step = tensor.g[i] + decay * tensor.w[i];
                     if (tensor.m != nullptr) {
                       const T velocity = tensor.m[i] = momentum * tensor.m[i] + step;
                       step = nesterov ? step + momentum * velocity : velocity;
                     }
                     tensor.w[i] -= rate * step;
                   });
}

template void sgd_step(Cuda, std::span<const SgdTensor<float>>, const SgdOptions&, double);
template void sgd_step(Cuda, std::span<const SgdTensor<double>>, const SgdOptions&, double);

}  // namespace drape::kernels
