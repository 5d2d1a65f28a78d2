#include "layers/dropout.h"

#include "kernels/dropout.h"

namespace drape {
namespace {

void check_probability(double p) {
  DRAPE_CHECK(p >= 0.0 && p < 1.0, "dropout: expected a probability 0 <= p < 1, got {}", p);
}

}  // namespace

Tensor dropout(const Tensor& x, double p, RandomStream stream, const std::uint64_t* taken) {
  check_probability(p);
  if (p == 0.0) return x;
  const auto masked = [mask = kernels::DropoutMask{p, stream, taken}](const Tensor& in) {
    Tensor out = Tensor::like(in);
    dispatch(in, [&]<class T>(auto tag, T) {
      kernels::dropout(tag, mask, in.data<T>(), out.data<T>(), in.size());
    });
    return out;
  };
  return record(masked(x), {x}, [masked](const Tensor& dy) -> Grads { return {masked(dy)}; });
}

RandomStream dropout_stream(const char* op, const Pass& pass) {
  DRAPE_CHECK(pass.random != nullptr, "{}: expected a generator in train mode, got none", op);
  return pass.random->next();
}

Dropout::Dropout(double p) : p_(p) {
  check_probability(p);
}

Tensor Dropout::forward(const Tensor& x, const Pass& pass) {
  if (pass.mode == Mode::eval || p_ == 0.0) return x;
  return dropout(x, p_, dropout_stream("dropout", pass), pass.taken);
}

}  // namespace drape
