#include "layers/module.h"

#include <cmath>

namespace drape {

std::vector<NamedTensor> Module::state() {
  std::vector<NamedTensor> all;
  visit([&](std::string_view name, Role role, Tensor& tensor) {
    all.push_back({std::string(name), role, tensor});
  });
  return all;
}

std::vector<Tensor> Module::parameters() {
  std::vector<Tensor> all;
  visit([&](std::string_view, Role role, Tensor& tensor) {
    if (is_trained(role)) all.push_back(tensor);
  });
  return all;
}

std::int64_t Module::parameter_count() {
  std::int64_t count = 0;
  for (const Tensor& parameter : parameters()) count += parameter.size();
  return count;
}

void Module::to(Device device) {
  visit([&](std::string_view, Role role, Tensor& tensor) {
    if (tensor.device() == device) return;
    tensor = tensor.to(device);
    if (is_trained(role)) tensor.track();
  });
}

void Module::to(DType dtype) {
  visit([&](std::string_view, Role role, Tensor& tensor) {
    const DType own = role == Role::parameter ? dtype : accumulator(dtype);
    if (tensor.dtype() == own || !is_real(tensor.dtype())) return;
    tensor = tensor.to(own);
    if (is_trained(role)) tensor.track();
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

void initialize_uniform(Generator& random, Tensor& weight, Tensor& bias, std::int64_t fan_in) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  for (Tensor* tensor : {&weight, &bias}) {
    const RandomStream stream = random.next();
    std::vector<double> values(static_cast<std::size_t>(tensor->size()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = (2.0 * stream.uniform(i) - 1.0) * bound;
    tensor->assign(Tensor::from(tensor->shape(), values).to(tensor->dtype()).to(tensor->device()));
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
  modules_.emplace_back(std::move(name), std::move(module));
  return *this;
}

void Sequential::each(const std::function<void(const std::string&, Module&)>& body) {
  for (const auto& [name, module] : modules_) body(name, *module);
}

Tensor Sequential::forward(const Tensor& x, Pass& pass) {
  Tensor y = x;
  for (const auto& [name, module] : modules_)
    in_module(name, [&] { y = module->forward(y, pass); });
  return y;
}

Shape Sequential::output_shape(const Shape& x) const {
  Shape shape = x;
  for (const auto& [name, module] : modules_)
    in_module(name, [&] { shape = module->output_shape(shape); });
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
