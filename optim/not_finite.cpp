#include "optim/not_finite.h"

#include <algorithm>
#include <cmath>

namespace drape {
namespace {

bool is_finite(const Tensor& tensor) {
  if (!is_real(tensor.dtype())) return true;
  const std::vector<double> values = tensor.to(DType::f64).to_vector<double>();
  return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

}  // namespace

std::string first_not_finite(Module& model) {
  for (const NamedTensor& entry : model.state()) {
    if (!is_finite(entry.tensor)) return entry.name;
  }
  return "";
}

std::string first_not_finite_output(Module& model, const Tensor& x, std::uint64_t seed) {
  auto* const layers = dynamic_cast<Sequential*>(&model);
  if (layers == nullptr) return "";
  Generator random(seed, Purpose::dropout);
  const Pass pass = Pass::train(random);
  Tensor y = x;
  std::string found;
  layers->each([&](const std::string& name, Module& layer) {
    if (!found.empty()) return;
    y = layer.forward(y, pass);
    if (!is_finite(y)) found = "the output of " + name;
  });
  return found;
}

}  // namespace drape
