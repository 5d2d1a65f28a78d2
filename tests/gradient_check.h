// Gradients against central differences, in f64.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "kernels/philox.h"

namespace drape::tests {

/// A differentiable function of some tensors.
using Function = std::function<Tensor(std::span<const Tensor> inputs)>;

/// The same function of inputs on the CPU, computed on a device: inputs and dy go there, y and the
/// gradients come back.
Function on_device(Device device, const Function& f);

/// The same elements as new leaves.
std::vector<Tensor> tracked(std::span<const Tensor> inputs);

/// y = f(inputs) and, for dy, the gradient of every input; an empty Tensor where none arrived.
struct Differentiated {
  Tensor y;
  std::vector<Tensor> grads;
};
Differentiated differentiate(const Function& f, std::span<const Tensor> inputs, const Tensor& dy);

/// Uniform values in [-1, 1) with float's precision.
Tensor noise(const Shape& shape, RandomStream stream, DType dtype = DType::f64);

/// Compares dy[j]/dx[i] for every output j and every element i of every input with
/// (f(x + h) - f(x - h)) / 2h, h = 1e-6: |difference| <= 1e-6 + 1e-5 |expected|. Returns the worst
/// violation in one line, or an empty string.
std::string jacobian_error(const Function& f, std::span<const Tensor> inputs);

/// Compares the derivative of sum(y * dy) along a random direction of all inputs at once, for a
/// random dy: what larger inputs can afford. |difference| <= 1e-5 * (sum of |gradient|
/// |direction|).
std::string directional_error(const Function& f, std::span<const Tensor> inputs,
                              std::uint64_t seed);

}  // namespace drape::tests
