// Are the gradients of an op right? Its backward against central differences, in f64:
//   dL/dx[i] = (L(x + h e_i) - L(x - h e_i)) / 2h + O(h^2),   h = 1e-6
// Rounding adds about 1e-16 |L| / h = 1e-10 |L|, the rest of the series h^2/6 of the third
// derivative: far below the tolerances, which are for values around 1. At a kink (relu at 0, a tie
// in max pooling, a sampling point on a pixel) no difference quotient is right: keep every input
// further from it than h.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "kernels/philox.h"

namespace drape {

/// A differentiable function of some tensors: an op, or a model of its input and parameters.
/// Whatever is random in it must be the same in every call.
using Function = std::function<Tensor(std::span<const Tensor> inputs)>;

/// Compares dy[j]/dx[i] for every output j and every element i of every input with its difference
/// quotient: |difference| <= 1e-6 + 1e-5 |expected|. Returns the worst violation in one line, or an
/// empty string. A gradient that does not arrive counts as 0. Calls f once, twice for each
/// element of the inputs, and once forward and backward for each of y's: for a few dozen of them.
/// Error unless the inputs are f64 on the CPU.
std::string jacobian_error(const Function& f, std::span<const Tensor> inputs);

/// Compares the derivative of sum(y * dy) along a random direction of all inputs at once, for a
/// random dy, both drawn with `seed`: four calls of f, what larger inputs can afford.
/// |difference| <= 1e-5 * (sum of |gradient| |direction|). Otherwise as above.
std::string directional_error(const Function& f, std::span<const Tensor> inputs,
                              std::uint64_t seed);

/// Uniform values in [-1, 1) with float's precision.
Tensor noise(const Shape& shape, RandomStream stream, DType dtype = DType::f64);

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

}  // namespace drape
