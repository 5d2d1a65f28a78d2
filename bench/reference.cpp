#include "bench/reference.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>

#include "tests/compare.h"

namespace drape::bench {
namespace {

using tests::Op;
using tests::RealSize;

using Indices = std::vector<std::int64_t>;

constexpr double kMostFlop = 3e7;  // of the f64 loops, forward

double tolerance(Cpu) {
  return 2e-5;
}
double tolerance(Cuda cuda) {
  return cuda.math == Math::tf32 ? 5e-3 : 2e-5;
}

// `count` of 0 ... size-1, the first and the last among them.
Indices spread(std::int64_t size, std::int64_t count) {
  Indices indices;
  for (std::int64_t i = 0; i < count; ++i)
    indices.push_back(count == 1 ? 0 : i * (size - 1) / (count - 1));
  return indices;
}

// Elements in a row along the last axis; a vector's axis is its first.
std::int64_t width_of(const Shape& shape) {
  return shape.rank() == 1 ? 1 : shape[shape.rank() - 1];
}

// Some entries of a tensor's first axis and some of its last one.
struct Selection {
  Indices first, last;

  // Calls visit(offset in the whole tensor, offset among what is selected) for every element.
  void each(const Shape& whole, const std::function<void(std::size_t, std::size_t)>& visit) const {
    const std::int64_t width = width_of(whole);
    const std::int64_t rows = whole.size() / whole[0] / width;
    std::size_t selected = 0;
    for (const std::int64_t i : first) {
      for (std::int64_t row = i * rows; row < (i + 1) * rows; ++row) {
        for (const std::int64_t j : last)
          visit(static_cast<std::size_t>(row * width + j), selected++);
      }
    }
  }

  Shape shape_in(const Shape& whole) const {
    std::vector<std::int64_t> extents(whole.extents().begin(), whole.extents().end());
    extents.back() = static_cast<std::int64_t>(last.size());
    extents.front() = static_cast<std::int64_t>(first.size());  // a vector's only one
    return Shape(extents);
  }

  // The selected elements, in f64.
  Tensor taken_from(const Tensor& whole) const {
    const std::vector<double> from = tests::values(whole);
    const Shape shape = shape_in(whole.shape());
    std::vector<double> to(static_cast<std::size_t>(shape.size()));
    each(whole.shape(), [&](std::size_t i, std::size_t j) { to[j] = from[i]; });
    return Tensor::from(shape, to);
  }

  // The inverse: zero where nothing is selected.
  Tensor put_into(const Shape& whole, const Tensor& part) const {
    const std::vector<double> from = tests::values(part);
    std::vector<double> to(static_cast<std::size_t>(whole.size()));
    each(whole, [&](std::size_t i, std::size_t j) { to[i] = from[j]; });
    return Tensor::from(whole, to);
  }
};

// The part of an op that the reference computes: everything, or, of a product whose examples do not
// see each other and whose fixed inputs have an entry for each filter, some examples and filters.
class Part {
 public:
  Part(const Op& op, const RealSize& size, const Shape& y) : op_(op), size_(size) {
    if (size.flop <= kMostFlop) return;
    const std::int64_t N = y[0], K = y[y.rank() - 1];
    examples_ = spread(N, std::min<std::int64_t>(N, 2));
    const double each = size.flop / static_cast<double>(N * K);
    const double count = kMostFlop / each / static_cast<double>(examples_.size());
    filters_ = spread(K, std::clamp<std::int64_t>(static_cast<std::int64_t>(count), 1, K));
  }

  bool everything() const { return examples_.empty(); }

  Selection of_output() const { return {examples_, filters_}; }

  Selection of_input(std::size_t i) const {
    const Shape& shape = size_.shapes[i];
    const bool batch = op_.inputs[i].first_axis == tests::FirstAxis::batch;
    return {batch ? examples_ : filters_, spread(width_of(shape), width_of(shape))};
  }

 private:
  const Op& op_;
  const RealSize& size_;
  Indices examples_, filters_;
};

// dy: random, and zero where the two disagree about the sign of y. There, at a kink, either of two
// gradients is right.
Tensor output_gradient(const Tensor& exact, const Tensor& rounded) {
  const std::vector<double> a = tests::values(exact), b = tests::values(rounded);
  std::vector<double> dy = tests::values(noise(exact.shape(), {.seed = 2, .id = 0}));
  for (std::size_t i = 0; i < dy.size(); ++i) {
    if ((a[i] > 0.0) != (b[i] > 0.0)) dy[i] = 0.0;
  }
  return Tensor::from(exact.shape(), dy);
}

}  // namespace

std::vector<Tensor> draw_real(const Op& op, const RealSize& size) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < size.shapes.size(); ++i) {
    const tests::Values values = op.inputs[i].values;
    Tensor t = tests::draw(size.shapes[i], values, {.seed = 1, .id = i}, DType::f32);
    if (values == tests::Values::uniform) {  // as TF32 holds them: it would find other maxima
      for (float& value : std::span(t.data<float>(), static_cast<std::size_t>(t.size())))
        value = std::nearbyint(1024.0f * value) / 1024.0f;
    }
    inputs.push_back(t);
  }
  return inputs;
}

double error_of(const Tensor& exact, const Tensor& rounded, Device device) {
  const double tolerated = on(device, [](auto tag) { return tolerance(tag); });
  return tests::difference(exact, rounded) / (tolerated * (tests::largest(exact) + 1e-30));
}

OpErrors errors_of(const Op& op, const RealSize& size, Device device) {
  const std::vector<Tensor> inputs = draw_real(op, size);
  const Function timed = on_device(device, op.function);
  const Tensor y = timed(inputs);
  const Part part(op, size, y.shape());
  const auto taken = [&](const Selection& selection, const Tensor& whole) {
    return part.everything() ? whole.to(DType::f64) : selection.taken_from(whole);
  };
  const auto put = [&](const Selection& selection, const Shape& whole, const Tensor& tensor) {
    return part.everything() ? tensor : selection.put_into(whole, tensor);
  };

  std::vector<Tensor> exact_inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    exact_inputs.push_back(taken(part.of_input(i), inputs[i]));
  const Tensor exact_y = op.function(exact_inputs), some_y = taken(part.of_output(), y);
  const Tensor dy = output_gradient(exact_y, some_y);
  const Differentiated exact = differentiate(op.function, exact_inputs, dy);
  const Differentiated rounded =
      differentiate(timed, inputs, put(part.of_output(), y.shape(), dy).to(y.dtype()));

  OpErrors errors{error_of(exact_y, some_y, device), 0.0};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor grad = put(part.of_input(i), inputs[i].shape(), exact.grads[i]);
    errors.backward = std::max(errors.backward, error_of(grad, rounded.grads[i], device));
  }
  return errors;
}

}  // namespace drape::bench
