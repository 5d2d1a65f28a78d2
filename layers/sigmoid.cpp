#include "layers/sigmoid.h"

#include "kernels/sigmoid.h"

namespace drape {

Tensor sigmoid(const Tensor& x) {
  Tensor y = Tensor::like(x);
  dispatch(x, [&]<class T>(auto tag, T) {
    kernels::sigmoid_forward(tag, x.data<T>(), y.data<T>(), x.size());
  });
  return record(y, {x}, [y](const Tensor& dy) -> Grads {
    Tensor dx = Tensor::like(y);
    dispatch(y, [&]<class T>(auto tag, T) {
      kernels::sigmoid_backward(tag, y.data<T>(), dy.data<T>(), dx.data<T>(), y.size());
    });
    return {dx};
  });
}

OnnxValue Sigmoid::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  return {graph.node("Sigmoid", {x.name}), x.shape};
}

}  // namespace drape
