#include "layers/add.h"

#include "kernels/add.h"

namespace drape {

Tensor add(const Tensor& a, const Tensor& b) {
  DRAPE_CHECK(a.shape() == b.shape(), "add: expected two tensors of one shape, got {} and {}",
              a.shape().to_string(), b.shape().to_string());
  check_together("add", a, {b});
  Tensor y = Tensor::like(a);
  dispatch(a, [&]<class T>(auto tag, T) {
    kernels::add(tag, a.data<T>(), b.data<T>(), y.data<T>(), y.size());
  });
  return record(y, {a, b}, [](const Tensor& dy) -> Grads { return {dy, dy}; });
}

}  // namespace drape
