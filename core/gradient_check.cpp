#include "core/gradient_check.h"

#include <cmath>

#include "core/check.h"

namespace drape {
namespace {

constexpr double kStep = 1e-6;
constexpr double kRelative = 1e-5, kAbsolute = 1e-6;

void check_inputs(std::span<const Tensor> inputs) {
  for (const Tensor& x : inputs) {
    DRAPE_CHECK(!x.empty() && x.dtype() == DType::f64 && x.device() == Device::cpu,
                "gradient check: expected inputs of f64 on the cpu, got {} on {}", name(x.dtype()),
                x.empty() ? "nowhere" : name(x.device()));
  }
}

// The elements on the host.
std::vector<double> values(const Tensor& t) {
  return t.to(DType::f64).to_vector<double>();
}

// inputs with element i of one of them moved by `step`.
std::vector<Tensor> moved(std::span<const Tensor> inputs, std::size_t input, std::size_t i,
                          double step) {
  std::vector<Tensor> result(inputs.begin(), inputs.end());
  result[input] = result[input].clone();
  result[input].data<double>()[i] += step;
  return result;
}

Tensor one_hot(const Shape& shape, std::size_t j) {
  Tensor t = Tensor::zeros(shape, DType::f64);
  t.data<double>()[j] = 1.0;
  return t;
}

// Gradients of each output element: jacobian[j][input][i].
std::vector<std::vector<std::vector<double>>> jacobian(const Function& f,
                                                       std::span<const Tensor> inputs) {
  std::vector<std::vector<std::vector<double>>> rows;
  const Shape shape = f(inputs).shape();
  for (std::size_t j = 0; j < static_cast<std::size_t>(shape.size()); ++j) {
    auto& row = rows.emplace_back();
    for (const Tensor& grad : differentiate(f, inputs, one_hot(shape, j)).grads) {
      row.push_back(grad.empty() ? std::vector<double>() : values(grad));
    }
  }
  return rows;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// inputs + step * directions.
std::vector<Tensor> moved_along(std::span<const Tensor> inputs,
                                const std::vector<std::vector<double>>& directions, double step) {
  std::vector<Tensor> result;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    std::vector<double> x = values(inputs[k]);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += step * directions[k][i];
    result.push_back(Tensor::from(inputs[k].shape(), x));
  }
  return result;
}

}  // namespace

Function on_device(Device device, const Function& f) {
  const auto sent = [](const Tensor& x, Device to) {
    const Device from = x.device();
    return record(x.to(to), {x}, [from](const Tensor& dy) -> Grads { return {dy.to(from)}; });
  };
  return [=](std::span<const Tensor> inputs) {
    std::vector<Tensor> there;
    for (const Tensor& input : inputs) there.push_back(sent(input, device));
    return sent(f(there), Device::cpu);
  };
}

std::vector<Tensor> tracked(std::span<const Tensor> inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) leaves.emplace_back(input.detach()).track();
  return leaves;
}

Differentiated differentiate(const Function& f, std::span<const Tensor> inputs, const Tensor& dy) {
  const std::vector<Tensor> leaves = tracked(inputs);
  const Tensor y = f(leaves);
  if (y.tracked()) backward(y, dy);
  Differentiated result{y.detach(), {}};
  for (const Tensor& leaf : leaves) result.grads.push_back(leaf.grad());
  return result;
}

Tensor noise(const Shape& shape, RandomStream stream, DType dtype) {
  Tensor drawn = Tensor::uninitialized(shape);
  for (std::int64_t i = 0; i < drawn.size(); ++i)
    drawn.data<float>()[i] = 2.0f * stream.uniform(static_cast<std::uint64_t>(i)) - 1.0f;
  return drawn.to(dtype);
}

std::string jacobian_error(const Function& f, std::span<const Tensor> inputs) {
  check_inputs(inputs);
  const auto rows = jacobian(f, inputs);
  std::string worst_place;
  double worst = 1.0;  // in units of the tolerance
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(inputs[k].size()); ++i) {
      const std::vector<double> above = values(f(moved(inputs, k, i, kStep)));
      const std::vector<double> below = values(f(moved(inputs, k, i, -kStep)));
      for (std::size_t j = 0; j < rows.size(); ++j) {
        const double expected = (above[j] - below[j]) / (2.0 * kStep);
        const double got = rows[j][k].empty() ? 0.0 : rows[j][k][i];
        const double error =
            std::abs(got - expected) / (kAbsolute + kRelative * std::abs(expected));
        if (error <= worst || std::isnan(worst)) continue;
        worst = error;
        worst_place = fmt::format("d output[{}] / d input {}[{}]: expected {:.9g}, got {:.9g}", j,
                                  k, i, expected, got);
      }
    }
  }
  return worst_place;
}

std::string directional_error(const Function& f, std::span<const Tensor> inputs,
                              std::uint64_t seed) {
  check_inputs(inputs);
  const Tensor dy = noise(f(inputs).shape(), {seed, 0});
  const std::vector<double> weights = values(dy);
  std::vector<std::vector<double>> directions;
  double derivative = 0.0, scale = 0.0;
  const std::vector<Tensor> grads = differentiate(f, inputs, dy).grads;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    directions.push_back(values(noise(inputs[k].shape(), {seed, k + 1})));
    if (grads[k].empty()) continue;
    const std::vector<double> grad = values(grads[k]);
    derivative += dot(grad, directions[k]);
    for (std::size_t i = 0; i < grad.size(); ++i) scale += std::abs(grad[i] * directions[k][i]);
  }
  const double above = dot(values(f(moved_along(inputs, directions, kStep))), weights);
  const double below = dot(values(f(moved_along(inputs, directions, -kStep))), weights);
  const double expected = (above - below) / (2.0 * kStep);
  if (std::abs(derivative - expected) <= kRelative * scale) return {};
  return fmt::format("derivative along a direction: expected {:.9g}, got {:.9g}, of terms {:.3g}",
                     expected, derivative, scale);
}

}  // namespace drape
