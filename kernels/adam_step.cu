#include "kernels/adam_step.h"

#include "kernels/multi_tensor.cuh"

namespace drape::kernels {
namespace {

// A tensor and its update: the number of steps may differ between tensors.
template <class T>
struct Task {
  AdamTensor<T> tensor;
  AdamUpdate<T> update;
  std::int64_t size;
};

}  // namespace

template <class T>
void adam_step(Cuda cuda, std::span<const AdamTensor<T>> tensors, const AdamOptions& options,
               double learning_rate) {
  RecycledVector<Task<T>> tasks;
  for (const AdamTensor<T>& t : tensors)
    tasks.push_back({t, AdamUpdate<T>(options, learning_rate, t.steps), t.size});
  for_each_element(cuda, "adam_step", std::span<const Task<T>>(tasks),
                   [] __device__(const Task<T>& task, std::int64_t i) {
                     const AdamTensor<T>& t = task.tensor;
                     task.update.apply(t.w[i], t.g[i], t.m[i], t.v[i]);
                   });
}

template void adam_step(Cuda, std::span<const AdamTensor<float>>, const AdamOptions&, double);
template void adam_step(Cuda, std::span<const AdamTensor<double>>, const AdamOptions&, double);

}  // namespace drape::kernels
