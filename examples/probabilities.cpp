#include "examples/probabilities.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "data/images.h"

namespace drape {
namespace {

constexpr std::int64_t kAtOnce = 500;  // images

std::vector<double> log_softmax(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  std::vector<double> result;
  for (const float logit : logits) result.push_back(logit - largest - std::log(sum));
  return result;
}

}  // namespace

std::vector<std::vector<double>> log_probabilities(
    SavedModel& model, std::int64_t count, const std::function<GreyImage(std::int64_t i)>& image) {
  const std::size_t classes = model.classes.size();
  std::vector<std::vector<double>> all;
  for (std::int64_t begin = 0; begin < count; begin += kAtOnce) {
    std::vector<GreyImage> some;
    for (std::int64_t i = begin; i < std::min(begin + kAtOnce, count); ++i)
      some.push_back(image(i));
    const std::vector<float> logits = logits_of(model, batch_of(some));
    for (std::size_t row = 0; row < some.size(); ++row)
      all.push_back(log_softmax(std::span(logits).subspan(row * classes, classes)));
  }
  return all;
}

}  // namespace drape
