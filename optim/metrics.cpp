#include "optim/metrics.h"

#include <algorithm>
#include <cmath>

#include "layers/losses.h"

namespace drape {
namespace {

constexpr std::int64_t kBatch = 500;

std::int32_t predict(std::span<const double> logits) {
  if (std::ranges::any_of(logits, [](double logit) { return std::isnan(logit); })) return -1;
  return static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin());
}

// Counts one batch into the evaluation.
void count(const Tensor& logits, const Tensor& labels, Evaluation& evaluation) {
  const std::vector<double> values = logits.to(DType::f64).to_vector<double>();
  const auto classes = static_cast<std::size_t>(logits.shape()[1]);
  for (std::size_t row = 0; const std::uint8_t label : labels.to_vector<std::uint8_t>()) {
    const std::int32_t prediction = predict(std::span(values).subspan(classes * row++, classes));
    evaluation.predictions.push_back(prediction);
    if (prediction >= 0) ++evaluation.confusion[label][static_cast<std::size_t>(prediction)];
  }
}

}  // namespace

Tensor loss_of(Loss loss, const Tensor& logits, const Tensor& targets) {
  return loss == Loss::softmax_cross_entropy ? softmax_cross_entropy(logits, targets)
                                             : bce_with_logits(logits, targets);
}

DType compute_type(Module& model) {
  const std::vector<Tensor> parameters = model.parameters();
  return parameters.empty() ? DType::f32 : parameters.front().dtype();
}

Evaluation evaluate(Module& model, const Examples& examples, Loss loss) {
  DRAPE_CHECK(examples.size() > 0, "evaluate: expected at least one example, got none");
  const auto classes = static_cast<std::size_t>(examples.classes);
  Evaluation evaluation;
  evaluation.confusion.assign(classes, std::vector<std::int64_t>(classes));
  const DType dtype = compute_type(model);
  const Batches batches(examples.indices, kBatch);
  double loss_sum = 0.0;
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    const Batch batch =
        gather_batch(examples.images, examples.labels, batches[i], examples.classes, {}, dtype);
    Pass pass = Pass::eval();
    const Tensor logits = model.forward(batch.x, pass);
    loss_sum +=
        loss_of(loss, logits, batch.targets).item() * static_cast<double>(batch.x.shape()[0]);
    count(logits, batch.labels, evaluation);
  }
  std::int64_t correct = 0;
  for (std::size_t k = 0; k < classes; ++k) correct += evaluation.confusion[k][k];
  evaluation.loss = loss_sum / static_cast<double>(examples.size());
  evaluation.accuracy = static_cast<double>(correct) / static_cast<double>(examples.size());
  return evaluation;
}

}  // namespace drape
