// Module: parameters and the function that uses them. Sequential: modules one after the other.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/checkpoint.h"
#include "core/onnx.h"
#include "core/random.h"
#include "core/tensor.h"

namespace drape {

/// train: batch statistics, dropout, gradients. eval: running statistics, no dropout, no gradients.
enum class Mode { train, eval };

/// How one forward pass runs: handed down from the caller, never global.
struct Pass {
  Mode mode = Mode::eval;
  Generator* random = nullptr;  // one stream per use; needed by dropout in train mode
  /// Streams that earlier passes took, in the memory of the device that computes: counted onto
  /// those of `random`. Null: none.
  const std::uint64_t* taken = nullptr;

  static Pass train(Generator& random, const std::uint64_t* taken = nullptr) {
    return {Mode::train, &random, taken};
  }
  static Pass eval() { return {}; }

  /// A parameter as this pass uses it: with gradients in train mode, without in eval mode.
  Tensor use(const Tensor& parameter) const {
    return mode == Mode::train ? parameter : parameter.detach();
  }
};

/// parameter, wide_parameter: trained, has a gradient; of a model in bf16 the wide ones, of which
/// there are few, stay in f32. buffer: part of the state, such as running statistics.
enum class Role { parameter, wide_parameter, buffer };
constexpr bool is_trained(Role role) {
  return role != Role::buffer;
}

/// A tensor of a module's state and its path in the model, "conv1.weight".
struct NamedTensor {
  std::string name;
  Role role;
  Tensor tensor;
};

/// A layer, or a model made of layers. Images are [N, H, W, C]. A copy of a layer shares its
/// parameters, as a copy of a Tensor shares elements: they are trained as one.
class Module {
 public:
  using Visitor = std::function<void(std::string_view name, Role role, Tensor& tensor)>;

  virtual ~Module() = default;

  virtual Tensor forward(const Tensor& x, const Pass& pass) = 0;

  /// The shape of forward's result for input of shape x. Error where x does not fit.
  virtual Shape output_shape(const Shape& x) const = 0;

  /// Multiplications (each with its addition) that forward needs for input of shape x: dense
  /// products and interpolation, not elementwise work.
  virtual std::int64_t multiply_adds(const Shape& /*x*/) const { return 0; }

  /// Draws fresh parameters from `random`, in a fixed order.
  virtual void initialize(Generator& /*random*/) {}

  /// Calls visit for every tensor of the state, in a fixed order.
  virtual void visit(const Visitor& /*visit*/) {}

  /// Adds to a graph what forward does in eval mode with x, and returns the result. Error: no form
  /// in ONNX is known.
  virtual OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const;

  /// Handles to the whole state, with and without what they are for; in visit's order.
  std::vector<NamedTensor> state();
  NamedTensors tensors();
  /// Handles to the parameters that are trained, each once, in visit's order.
  std::vector<Tensor> parameters();
  /// Number of trained values.
  std::int64_t parameter_count();
  /// Ends the training of all parameters whose names begin so, before an optimiser takes the
  /// others: they are no longer tracked. Error if there is none.
  void freeze(std::string_view prefix);
  /// Moves the whole state to the device, or converts its real tensors: in bf16, wide parameters
  /// and buffers become f32. What is there already keeps its gradient; what moves loses it, and an
  /// optimiser made before still holds the old one. Tensors that share elements go on sharing them.
  void to(Device device);
  void to(DType dtype);

 protected:
  /// A zero parameter, tracked.
  static Tensor parameter(const Shape& shape);
};

/// Draws U(-1/sqrt(fan_in), 1/sqrt(fan_in)) into a weight and its bias, one stream each; fan_in:
/// elements of weight[k]. The default of PyTorch's Linear and Conv2d (kaiming_uniform_ with
/// a = sqrt(5)), after LeCun et al. 1998, "Efficient BackProp", section 4.6. Error: an empty
/// weight.
void initialize_uniform(Generator& random, Tensor& weight, Tensor& bias);

/// Modules applied in order.
class Sequential : public Module {
 public:
  /// Appends a module under a name that is unique here.
  template <std::derived_from<Module> M>
  Sequential& add(std::string name, M module) {
    return add(std::move(name), std::unique_ptr<Module>(std::make_unique<M>(std::move(module))));
  }
  Sequential& add(std::string name, std::unique_ptr<Module> module);

  /// Calls body(name, module) for every module, in order.
  void each(const std::function<void(const std::string& name, Module& module)>& body);

  Tensor forward(const Tensor& x, const Pass& pass) override;
  Shape output_shape(const Shape& x) const override;
  std::int64_t multiply_adds(const Shape& x) const override;
  void initialize(Generator& random) override;
  void visit(const Visitor& visit) override;
  OnnxValue onnx(OnnxGraph& graph, const OnnxValue& x) const override;

 private:
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> modules_;
};

}  // namespace drape
