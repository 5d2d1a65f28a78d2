#include "layers/losses.h"

#include <concepts>

#include "kernels/losses.h"
#include "layers/cast.h"

namespace drape {
namespace {

void check(const char* op, const Tensor& logits, const Tensor& targets) {
  DRAPE_CHECK(logits.shape().rank() == 2 && logits.size() > 0,
              "{}: expected logits [N,K] with N, K >= 1, got {}", op, logits.shape().to_string());
  DRAPE_CHECK(targets.shape() == logits.shape(), "{}: expected targets {}, got {}", op,
              logits.shape().to_string(), targets.shape().to_string());
  check_together(op, logits, {targets});
  DRAPE_CHECK(!targets.tracked(), "{}: expected targets without history, got tracked ones", op);
}

// Checks, calls kernel(tag, Loss<T>) and records its gradient. bf16 is widened first.
template <class Kernel>
Tensor recorded_loss(const char* op, const Tensor& given_logits, const Tensor& given_targets,
                     Kernel&& kernel) {
  const Tensor logits = widened(given_logits), targets = widened(given_targets);
  check(op, logits, targets);
  Tensor loss = Tensor::like(logits, Shape());
  Tensor dlogits = logits.tracked() ? Tensor::like(logits) : Tensor();
  dispatch(logits, [&]<std::floating_point T>(auto tag, T) {
    kernel(tag, kernels::Loss<T>{logits.shape()[0], logits.shape()[1], logits.data<T>(),
                                 targets.data<T>(), loss.data<T>(), dlogits.data<T>()});
  });
  return record(loss, {logits}, [dlogits](const Tensor& dy) -> Grads {
    Tensor dx = Tensor::like(dlogits);
    dispatch(dx, [&]<std::floating_point T>(auto tag, T) {
      kernels::scale(tag, dlogits.data<T>(), dy.data<T>(), dx.data<T>(), dx.size());
    });
    return {dx};
  });
}

}  // namespace

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets) {
  return recorded_loss("softmax_cross_entropy", logits, targets, [](auto tag, const auto& loss) {
    kernels::softmax_cross_entropy(tag, loss);
  });
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets) {
  return recorded_loss("bce_with_logits", logits, targets,
                       [](auto tag, const auto& loss) { kernels::bce_with_logits(tag, loss); });
}

std::int64_t count_correct(const Tensor& logits, const Tensor& labels) {
  const Shape &shape = logits.shape(), &label_shape = labels.shape();
  DRAPE_CHECK(shape.rank() == 2 && label_shape == Shape({shape[0]}),
              "count_correct: expected logits [N,K] and labels [N], got {} and {}",
              shape.to_string(), label_shape.to_string());
  DRAPE_CHECK(labels.device() == logits.device() && labels.dtype() == DType::u8,
              "count_correct: expected labels in u8 on {}, got {} on {}", name(logits.device()),
              name(labels.dtype()), name(labels.device()));
  std::int64_t correct = 0;
  dispatch(logits, [&]<class T>(auto tag, T) {
    correct = kernels::count_correct(tag, logits.data<T>(), labels.data<std::uint8_t>(), shape[0],
                                     shape[1]);
  });
  return correct;
}

}  // namespace drape
