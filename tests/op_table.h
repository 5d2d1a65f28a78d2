// The op table: one row per differentiable op and variant. Gradient checks, parity, determinism and
// benchmarks read it; a new op is a row here.
#pragma once

#include <string>
#include <vector>

#include "core/gradient_check.h"

namespace drape::tests {

/// Where an input's values lie, so that no kink of the op is within a difference step of them. All
/// are floats, so that f32 and f64 see the same input.
///   uniform          -1 ... 1
///   positive         0.5 ... 1.5
///   nonzero          0.1 <= |x| <= 1: relu
///   distinct         a permutation of multiples of 1/64: max pooling
///   between_pixels   whole numbers -2 ... 1 plus 0.1 ... 0.9: sampling offsets
enum class Values { uniform, positive, nonzero, distinct, between_pixels };

/// Whether the first axis counts examples, of which there may be any number.
enum class FirstAxis { batch, fixed };

struct Input {
  Shape shape;
  Values values = Values::uniform;
  FirstAxis first_axis = FirstAxis::batch;
};

/// A size at which benchmarks run a row: the shapes of its inputs, and the multiplications and
/// additions of forward.
struct RealSize {
  std::string label;
  std::vector<Shape> shapes;
  double flop;
};

struct Op {
  std::string name;
  std::vector<Input> inputs;
  Function function;
  std::vector<RealSize> real_sizes = {};
};

const std::vector<Op>& op_table();

/// The inputs of a row, the same on every call, with `times` as many examples.
std::vector<Tensor> draw_inputs(const Op& op, DType dtype, std::int64_t times = 1);

/// Draws one input; also for tests that make up their own shapes.
Tensor draw(const Shape& shape, Values rule, RandomStream stream, DType dtype);

}  // namespace drape::tests
