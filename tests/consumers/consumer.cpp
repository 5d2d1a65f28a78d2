// A model forward and backward with numbers known by hand: what each project in this folder builds
// and runs.
#include <drape/core/print.h>
#include <drape/layers/conv2d.h>
#include <drape/layers/flatten.h>
#include <drape/layers/linear.h>
#include <drape/layers/losses.h>
#include <drape/version.h>

#include <cmath>
#include <cstdlib>

#if __has_include("core/tensor.h")
#error "expected drape's headers under drape/ alone"
#endif

int main() {
  drape::Sequential model;
  model.add("conv", drape::Conv2d(1, 4, 3, {.padding = 1}))
      .add("flatten", drape::Flatten())
      .add("linear", drape::Linear(8 * 8 * 4, 2));
  drape::Generator random(0, drape::Purpose::dropout);
  drape::Pass pass = drape::Pass::train(random);

  // Every weight is 0, so both classes have a probability of 1/2: the loss is ln 2, and the
  // gradient of the last bias 1/2 - target.
  const drape::Tensor x = drape::Tensor::full({3, 8, 8, 1}, 1.0);
  const drape::Tensor targets = drape::Tensor::from<float>({3, 2}, {1, 0, 1, 0, 1, 0});
  const drape::Tensor loss = drape::softmax_cross_entropy(model.forward(x, pass), targets);
  backward(loss);
  const std::vector<float> gradient = model.parameters().back().grad().to_vector<float>();

  drape::print(stdout, "drape {}: loss {:.6f}, gradient {} {}\n", DRAPE_VERSION, loss.item(),
               gradient[0], gradient[1]);
  const bool right = std::abs(loss.item() - std::log(2.0)) < 1e-6 &&
                     std::abs(gradient[0] + 0.5f) < 1e-6f && std::abs(gradient[1] - 0.5f) < 1e-6f;
  return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
