#include "optim/metrics.h"

#include "core/placed.h"

namespace drape {
namespace {

constexpr std::int64_t kBatch = 500;

// Counts predictions.
void count(const Examples& examples, Evaluation& evaluation) {
  const auto classes = static_cast<std::size_t>(examples.classes);
  evaluation.confusion.assign(classes, std::vector<std::int64_t>(classes));
  const std::vector<std::uint8_t> labels = examples.labels.to_vector<std::uint8_t>();
  std::int64_t correct = 0;
  for (std::size_t n = 0; n < evaluation.predictions.size(); ++n) {
    const std::int32_t prediction = evaluation.predictions[n];
    const std::uint8_t label = labels[static_cast<std::size_t>(examples.indices[n])];
    DRAPE_CHECK(label < classes, "evaluate: expected labels 0...{}, got {} at index {}",
                classes - 1, label, examples.indices[n]);
    correct += prediction == label ? 1 : 0;
    if (prediction >= 0) ++evaluation.confusion[label][static_cast<std::size_t>(prediction)];
  }
  evaluation.accuracy = static_cast<double>(correct) / static_cast<double>(examples.size());
}

}  // namespace

Tensor loss_of(Loss loss, const Tensor& logits, const Tensor& targets, const Scores& scores) {
  return loss == Loss::softmax_cross_entropy ? softmax_cross_entropy(logits, targets, scores)
                                             : bce_with_logits(logits, targets, scores);
}

DType compute_type(Module& model) {
  DType dtype = DType::f32;
  model.visit([&](std::string_view, Role role, Tensor& tensor) {
    if (is_trained(role) && dtype != DType::bf16) dtype = tensor.dtype();
  });
  return dtype;
}

Evaluation evaluate(Module& model, const Examples& examples, Loss loss) {
  DRAPE_CHECK(examples.size() > 0, "evaluate: expected at least one example, got none");
  const Device device = examples.images.device();
  const DType dtype = compute_type(model);
  const Batches batches(examples.indices, kBatch);
  const BatchPlan plan(examples.images, examples.labels, examples.classes, batches);
  Placed<kernels::Progress> progress(device);
  const Tensor predictions = Tensor::uninitialized({examples.size()}, DType::i32, device);
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    const Batch batch = plan.gather(i, dtype);
    const Pass pass = Pass::eval();
    loss_of(loss, model.forward(batch.x, pass), batch.targets,
            {batch.labels, predictions, i * kBatch, progress.address()});
  }
  const kernels::Progress sums = progress.read();
  Evaluation evaluation;
  evaluation.loss = sums.failed_step > 0 ? sums.failed_loss
                                         : sums.loss_sum / static_cast<double>(examples.size());
  evaluation.predictions = predictions.to_vector<std::int32_t>();
  count(examples, evaluation);
  return evaluation;
}

}  // namespace drape
