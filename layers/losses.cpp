#include "layers/losses.h"

#include "kernels/losses.h"
#include "layers/cast.h"

namespace drape {
namespace {

void check(const char* op, const Tensor& logits, const Tensor& targets, const Scores& scores) {
  DRAPE_CHECK(logits.shape().rank() == 2 && logits.size() > 0,
              "{}: expected logits [N,K] with N, K >= 1, got {}", op, logits.shape().to_string());
  DRAPE_CHECK(targets.shape() == logits.shape(), "{}: expected targets {}, got {}", op,
              logits.shape().to_string(), targets.shape().to_string());
  check_together(op, logits, {}, {targets});
  DRAPE_CHECK(!targets.tracked(), "{}: expected targets without history, got tracked ones", op);
  const std::int64_t rows = logits.shape()[0];
  DRAPE_CHECK(scores.labels.empty() || scores.labels.shape() == Shape({rows}),
              "{}: expected labels [{}], got {}", op, rows, scores.labels.shape().to_string());
  DRAPE_CHECK(scores.predictions.empty() ||
                  (scores.first >= 0 && scores.first <= scores.predictions.size() - rows),
              "{}: expected room for {} predictions from {} on, got {}", op, rows, scores.first,
              scores.predictions.shape().to_string());
  for (const Tensor* tensor : {&scores.labels, &scores.predictions}) {
    DRAPE_CHECK(tensor->empty() || tensor->device() == logits.device(),
                "{}: expected labels and predictions on {}, got some on {}", op,
                name(logits.device()), name(tensor->device()));
  }
}

// Checks, calls kernel(tag, Loss<T>) and records its gradient.
template <class Kernel>
Tensor recorded_loss(const char* op, const Tensor& logits, const Tensor& given_targets,
                     Scores scores, Kernel&& kernel) {
  const Tensor targets = widened(given_targets);
  check(op, logits, targets, scores);
  Tensor loss = Tensor::like(targets, Shape());
  Tensor dlogits = gradient_like(logits);
  std::int32_t* const predictions = scores.predictions.data<std::int32_t>();
  dispatch(logits, [&]<class T>(auto tag, T) {
    kernel(tag, kernels::Loss<T>{
                    .rows = logits.shape()[0],
                    .classes = logits.shape()[1],
                    .logits = logits.data<T>(),
                    .targets = targets.data<Accumulator<T>>(),
                    .loss = loss.data<Accumulator<T>>(),
                    .dlogits = dlogits.data<T>(),
                    .labels = scores.labels.data<std::uint8_t>(),
                    .predictions = predictions == nullptr ? nullptr : predictions + scores.first,
                    .progress = scores.progress});
  });
  return record_scalar(loss, {logits}, {dlogits});
}

}  // namespace

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& targets, const Scores& scores) {
  return recorded_loss(
      "softmax_cross_entropy", logits, targets, scores,
      [](auto tag, const auto& loss) { kernels::softmax_cross_entropy(tag, loss); });
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, const Scores& scores) {
  return recorded_loss("bce_with_logits", logits, targets, scores,
                       [](auto tag, const auto& loss) { kernels::bce_with_logits(tag, loss); });
}

}  // namespace drape
