#include "layers/cast.h"

namespace drape {

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return record(x.to(dtype), {x},
                [own = x.dtype()](const Tensor& dy) -> Grads { return {dy.to(own)}; });
}

Tensor widened(const Tensor& x) {
  return cast(x, accumulator(x.dtype()));
}

}  // namespace drape
