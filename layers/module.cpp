#include "layers/module.h"

#include <algorithm>
#include <cmath>
#include <concepts>

namespace drape {

std::vector<NamedTensor> Module::state() {
  std::vector<NamedTensor> all;
  visit([&](std::string_view name, Role role, Tensor& tensor) {
    all.push_back({std::string(name), role, tensor});
  });
  return all;
}

NamedTensors Module::tensors() {
  NamedTensors all;
  visit([&](std::string_view name, Role, Tensor& tensor) { all.emplace_back(name, tensor); });
  return all;
}

std::vector<Tensor> Module::parameters() {
  std::vector<Tensor> all;
  visit([&](std::string_view, Role role, Tensor& tensor) {
    const auto same = [&](const Tensor& other) { return other.shares(tensor); };
    if (is_trained(role) && tensor.tracked() && std::ranges::none_of(all, same))
      all.push_back(tensor);
  });
  return all;
}

std::int64_t Module::parameter_count() {
  std::int64_t count = 0;
  for (const Tensor& parameter : parameters()) count += parameter.size();
  return count;
}

void Module::freeze(std::string_view prefix) {
  std::int64_t found = 0;
  visit([&](std::string_view name, Role role, Tensor& tensor) {
    if (!is_trained(role) || !name.starts_with(prefix)) return;
    tensor = tensor.detach();
    ++found;
  });
  DRAPE_CHECK(found > 0, "freeze: expected the beginning of a parameter's name, got '{}'", prefix);
}

namespace {

// Puts convert(role, tensor) in the place of every tensor of the state: one of those that share
// elements, tracked if they were.
template <class Convert>
void replace_state(Module& module, Convert&& convert) {
  std::vector<std::pair<Tensor, Tensor>> replaced;  // before and after
  module.visit([&](std::string_view, Role role, Tensor& tensor) {
    for (const auto& [before, after] : replaced) {
      if (!before.shares(tensor)) continue;
      tensor = after;
      return;
    }
    const Tensor before = tensor;
    tensor = convert(role, before);
    if (tensor.shares(before))
      tensor = before;
    else if (before.tracked())
      tensor.track();
    replaced.emplace_back(before, tensor);
  });
}

}  // namespace

void Module::to(Device device) {
  replace_state(*this, [&](Role, const Tensor& tensor) { return tensor.to(device); });
}

void Module::to(DType dtype) {
  replace_state(*this, [&](Role role, const Tensor& tensor) {
    const DType own = role == Role::parameter ? dtype : accumulator(dtype);
    return is_real(tensor.dtype()) ? tensor.to(own) : tensor;
  });
}

OnnxValue Module::onnx(OnnxGraph& graph, const OnnxValue& /*x*/) const {
  throw Error(
      fmt::format("onnx: expected modules with a form in ONNX, got '{}' without", graph.module()));
}

Tensor Module::parameter(const Shape& shape) {
  Tensor tensor = Tensor::zeros(shape);
  tensor.track();
  return tensor;
}

void initialize_uniform(Generator& random, Tensor& weight, Tensor& bias) {
  DRAPE_CHECK(!weight.empty(), "initialize: expected a module with parameters, got one moved from");
  const double bound = 1.0 / std::sqrt(static_cast<double>(weight.size() / weight.shape()[0]));
  for (Tensor* tensor : {&weight, &bias}) {
    const RandomStream stream = random.next();
    Tensor drawn = Tensor::uninitialized(tensor->shape(), accumulator(tensor->dtype()));
    dispatch(drawn, [&]<std::floating_point T>(auto, T) {
      for (std::int64_t i = 0; i < drawn.size(); ++i) {
        const double at = stream.uniform(static_cast<std::uint64_t>(i));
        drawn.data<T>()[i] = static_cast<T>((2.0 * at - 1.0) * bound);
      }
    });
    tensor->assign(drawn.to(tensor->dtype()).to(tensor->device()));
  }
}

namespace {

// Puts the module's name before what is wrong in it.
template <class F>
void in_module(const std::string& name, F&& work) {
  try {
    work();
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace

Sequential& Sequential::add(std::string name, std::unique_ptr<Module> module) {
  for (const auto& [taken, unused] : modules_) {
    DRAPE_CHECK(taken != name, "sequential: expected a name that is free, got '{}'", name);
  }
  DRAPE_CHECK(module != nullptr, "sequential: expected a module as '{}', got none", name);
  modules_.emplace_back(std::move(name), std::move(module));
  return *this;
}

void Sequential::each(const std::function<void(const std::string&, Module&)>& body) {
  for (const auto& [name, module] : modules_) body(name, *module);
}

Tensor Sequential::forward(const Tensor& x, const Pass& pass) {
  Tensor y = x;
  for (const auto& entry : modules_)
    in_module(entry.first, [&] { y = entry.second->forward(y, pass); });
  return y;
}

Shape Sequential::output_shape(const Shape& x) const {
  Shape shape = x;
  for (const auto& entry : modules_)
    in_module(entry.first, [&] { shape = entry.second->output_shape(shape); });
  return shape;
}

std::int64_t Sequential::multiply_adds(const Shape& x) const {
  std::int64_t count = 0;
  Shape shape = x;
  for (const auto& [name, module] : modules_) {
    count += module->multiply_adds(shape);
    shape = module->output_shape(shape);
  }
  return count;
}

OnnxValue Sequential::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  OnnxValue y = x;
  const std::string outer = graph.module();
  for (const auto& [name, module] : modules_) {
    graph.enter(outer.empty() ? name : outer + "." + name);
    y = module->onnx(graph, y);
  }
  graph.enter(outer);
  return y;
}

void Sequential::initialize(Generator& random) {
  for (const auto& [name, module] : modules_) module->initialize(random);
}

void Sequential::visit(const Visitor& visit) {
  for (const auto& entry : modules_) {
    const std::string& module_name = entry.first;
    entry.second->visit([&](std::string_view name, Role role, Tensor& tensor) {
      visit(fmt::format("{}.{}", module_name, name), role, tensor);
    });
  }
}

}  // namespace drape
