#include "layers/relu.h"

#include "kernels/relu.h"

namespace drape {

Tensor relu(const Tensor& x) {
  Tensor y = Tensor::like(x);
  dispatch(x, [&]<class T>(auto tag, T) {
    kernels::relu_forward(tag, x.data<T>(), y.data<T>(), x.size());
  });
  return record(y, {x}, [y](const Tensor& dy) -> Grads {
    Tensor dx = Tensor::like(y);
    dispatch(y, [&]<class T>(auto tag, T) {
      kernels::relu_backward(tag, y.data<T>(), dy.data<T>(), dx.data<T>(), y.size());
    });
    return {dx};
  });
}

OnnxValue Relu::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  return {graph.node("Relu", {x.name}), x.shape};
}

}  // namespace drape
