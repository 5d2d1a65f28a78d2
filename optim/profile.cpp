#include "optim/profile.h"

#include <functional>

#include "core/timing.h"
#include "layers/losses.h"
#include "optim/adam.h"

namespace drape {
namespace {

// Times y = function(x), and the way back from y to x and to the parameters.
PartSeconds time_part(const std::string& name, const std::function<Tensor(const Tensor&)>& function,
                      const Tensor& x, int repeats) {
  std::vector<double> forward, backwards;
  for (int i = 0; i < repeats; ++i) {
    Tensor y;
    forward.push_back(seconds_of(x.device(), [&] { y = function(x); }));
    if (!y.tracked()) continue;
    const Tensor dy = Tensor::full(y.shape(), 1.0, y.dtype(), y.device());
    backwards.push_back(seconds_of(x.device(), [&] { backward(y, dy); }));
  }
  return {name, timing_of(forward).seconds, backwards.empty() ? 0.0 : timing_of(backwards).seconds};
}

}  // namespace

std::vector<PartSeconds> time_parts(Sequential& model, const Batch& batch, int repeats) {
  Generator dropout(0, Purpose::dropout);
  Adam optimizer(model.parameters());
  std::vector<PartSeconds> parts;
  Tensor x = batch.x;
  model.each([&](const std::string& name, Module& layer) {
    parts.push_back(time_part(
        name,
        [&](const Tensor& input) {
          optimizer.clear_grads();
          const Pass pass = Pass::train(dropout);
          return layer.forward(input, pass);
        },
        x, repeats));
    const Pass pass = Pass::train(dropout);
    x = layer.forward(x, pass).detach();
    x.track();  // a layer's input has a gradient, the batch has none
  });
  parts.push_back(time_part(
      "loss", [&](const Tensor& logits) { return softmax_cross_entropy(logits, batch.targets); }, x,
      repeats));
  parts.push_back({"optimiser", 0.0, 0.0});
  std::vector<double> steps;
  for (int i = 0; i < repeats; ++i) {
    const Pass pass = Pass::train(dropout);
    optimizer.clear_grads();
    backward(softmax_cross_entropy(model.forward(batch.x, pass), batch.targets));
    steps.push_back(seconds_of(x.device(), [&] { optimizer.step(1e-3); }));
  }
  parts.back().forward = timing_of(steps).seconds;
  return parts;
}

}  // namespace drape
