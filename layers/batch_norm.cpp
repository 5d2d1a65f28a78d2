#include "layers/batch_norm.h"

#include <cmath>

#include "kernels/batch_norm.h"
#include "layers/cast.h"
#include "layers/dropout.h"

namespace drape {
namespace {

void check_shape(const Shape& x, std::int64_t channels) {
  DRAPE_CHECK(x.rank() >= 2 && x.size() > 0 && x[x.rank() - 1] == channels,
              "batch_norm: expected x [...,{}] of rank 2 or more that is not empty, got {}",
              channels, x.to_string());
}

void check_state(const BatchNormState& state) {
  const Shape& shape = state.gamma.shape();
  for (const Tensor* tensor :
       {&state.gamma, &state.beta, &state.running_mean, &state.running_var}) {
    DRAPE_CHECK(shape.rank() == 1 && shape.size() > 0 && tensor->shape() == shape,
                "batch_norm: expected gamma, beta, running_mean and running_var [C], got {} and {}",
                shape.to_string(), tensor->shape().to_string());
  }
}

void check_options(const BatchNormOptions& options) {
  DRAPE_CHECK(options.momentum >= 0.0 && options.momentum <= 1.0,
              "batch_norm: expected 0 <= momentum <= 1, got {}", options.momentum);
  DRAPE_CHECK(options.epsilon > 0.0 && std::isfinite(options.epsilon),
              "batch_norm: expected epsilon > 0, got {}", options.epsilon);
  DRAPE_CHECK(options.dropout >= 0.0 && options.dropout < 1.0,
              "batch_norm: expected a dropout probability 0 <= p < 1, got {}", options.dropout);
}

// What forward and backward share: everything but x, y and their gradients.
struct Fused {
  std::int64_t rows, channels;
  Tensor mean, variance, gamma, beta;
  BatchNormOptions options;
  kernels::DropoutMask dropout;

  template <class T>
  kernels::BatchNorm<T> kernel() const {
    using Kept = Accumulator<T>;
    return {rows,
            channels,
            mean.data<Kept>(),
            variance.data<Kept>(),
            gamma.data<Kept>(),
            beta.data<Kept>(),
            options.epsilon,
            options.activation,
            dropout};
  }
};

Grads gradients(const Fused& norm, kernels::Statistics statistics, const Tensor& x,
                const Tensor& dy) {
  Tensor dx = gradient_like(x);
  Tensor dgamma = Tensor::like(norm.gamma), dbeta = Tensor::like(norm.beta);
  dispatch(x, [&]<class T>(auto tag, T) {
    kernels::batch_norm_backward(tag, norm.kernel<T>(), statistics, x.data<T>(), dy.data<T>(),
                                 dx.data<T>(), dgamma.data<Accumulator<T>>(),
                                 dbeta.data<Accumulator<T>>());
  });
  return {dx, dgamma, dbeta};
}

}  // namespace

Tensor batch_norm(const Tensor& x, BatchNormState state, Mode mode, const BatchNormOptions& options,
                  RandomStream stream, const std::uint64_t* taken) {
  check_options(options);
  check_state(state);
  check_shape(x.shape(), state.gamma.size());
  state.gamma = widened(state.gamma);
  state.beta = widened(state.beta);
  check_together("batch_norm", x, {},
                 {state.gamma, state.beta, state.running_mean, state.running_var});
  const std::int64_t channels = state.gamma.size(), rows = x.size() / channels;
  const bool train = mode == Mode::train;
  DRAPE_CHECK(!train || rows >= 2, "batch_norm: expected more than one value a channel, got x {}",
              x.shape().to_string());
  // Backward must see the statistics of this call, whatever becomes of the running ones.
  const Fused norm{rows,
                   channels,
                   train ? Tensor::like(state.running_mean) : state.running_mean.clone(),
                   train ? Tensor::like(state.running_var) : state.running_var.clone(),
                   state.gamma,
                   state.beta,
                   options,
                   {train ? options.dropout : 0.0, stream, taken}};
  Tensor y = Tensor::like(x);
  dispatch(x, [&]<class T>(auto tag, T) {
    if (train) {
      using Kept = Accumulator<T>;
      Tensor mean = norm.mean, variance = norm.variance;
      const kernels::RunningStatistics<T> running{state.running_mean.data<Kept>(),
                                                  state.running_var.data<Kept>(), options.momentum};
      kernels::batch_norm_statistics(tag, x.data<T>(), rows, channels, mean.data<Kept>(),
                                     variance.data<Kept>(), running);
    }
    kernels::batch_norm_forward(tag, norm.kernel<T>(), x.data<T>(), y.data<T>());
  });
  const auto statistics = train ? kernels::Statistics::batch : kernels::Statistics::running;
  return record(y, {x, state.gamma, state.beta}, [norm, statistics, x](const Tensor& dy) {
    return gradients(norm, statistics, x, dy);
  });
}

BatchNorm::BatchNorm(std::int64_t channels, const BatchNormOptions& options)
    : state_{parameter({channels}), parameter({channels}), Tensor::zeros({channels}),
             Tensor::full({channels}, 1.0)},
      options_(options) {
  DRAPE_CHECK(channels >= 1, "batch_norm: expected at least one channel, got {}", channels);
  check_options(options);
  state_.gamma.assign(Tensor::full({channels}, 1.0));
}

Tensor BatchNorm::forward(const Tensor& x, const Pass& pass) {
  const bool drops = pass.mode == Mode::train && options_.dropout > 0.0;
  const RandomStream stream = drops ? dropout_stream("batch_norm", pass) : RandomStream();
  return batch_norm(
      x, {pass.use(state_.gamma), pass.use(state_.beta), state_.running_mean, state_.running_var},
      pass.mode, options_, stream, pass.taken);
}

Shape BatchNorm::output_shape(const Shape& x) const {
  check_shape(x, state_.gamma.size());
  return x;
}

void BatchNorm::initialize(Generator& /*random*/) {
  const Shape shape = state_.gamma.shape();
  const auto reset = [&](Tensor& tensor, double value) {
    tensor.assign(Tensor::full(shape, value, tensor.dtype(), tensor.device()));
  };
  reset(state_.gamma, 1.0);
  reset(state_.beta, 0.0);
  reset(state_.running_mean, 0.0);
  reset(state_.running_var, 1.0);
}

void BatchNorm::visit(const Visitor& visit) {
  visit("weight", Role::wide_parameter, state_.gamma);
  visit("bias", Role::wide_parameter, state_.beta);
  visit("running_mean", Role::buffer, state_.running_mean);
  visit("running_var", Role::buffer, state_.running_var);
}

OnnxValue BatchNorm::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  std::string result = graph.node(
      "BatchNormalization",
      {x.name, graph.constant("weight", state_.gamma), graph.constant("bias", state_.beta),
       graph.constant("running_mean", state_.running_mean),
       graph.constant("running_var", state_.running_var)},
      {{"epsilon", static_cast<float>(options_.epsilon)}});
  if (options_.activation == Activation::relu) result = graph.node("Relu", {result});
  return {result, x.shape};
}

}  // namespace drape
