// Figures of a trained model, against numbers worked out by hand.
#include "examples/evaluation.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "layers/flatten.h"
#include "layers/linear.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"

namespace {

using drape::LabelledImages;
using drape::ModelFigures;
using drape::SavedModel;

// The logits are the pixels, over 255.
SavedModel identity() {
  SavedModel model{{}, {}, "identity", {"a", "b", "c"}, {}};
  model.network.add("flatten", drape::Flatten());
  return model;
}

const LabelledImages kImages{1,
                             3,
                             {255, 0, 0,  //
                              0, 255, 0,  //
                              0, 255, 0,  //
                              255, 0, 51},
                             {0, 1, 2, 0}};

}  // namespace

TEST_CASE("the figures of a model are those of its confusion matrix") {
  SavedModel model = identity();
  const ModelFigures figures = evaluate_model(model, kImages);
  CHECK(figures.images == 4);
  CHECK(figures.accuracy == 0.75);
  CHECK(figures.confusion == drape::Confusion{{2, 0, 0}, {0, 1, 0}, {0, 1, 0}});
  CHECK(figures.classes[0].precision == 1.0);
  CHECK(figures.classes[1].precision == 0.5);
  CHECK(figures.classes[1].recall == 1.0);
  CHECK(figures.classes[1].f1 == Approx(2.0 / 3.0));
  CHECK(figures.classes[2].images == 1);
  CHECK(figures.classes[2].precision == 0.0);  // nothing was taken for it
  CHECK(figures.classes[2].recall == 0.0);
  REQUIRE(figures.mistakes.size() == 1);
  CHECK(figures.mistakes[0].image == 2);
  CHECK(figures.mistakes[0].label == 2);
  CHECK(figures.mistakes[0].prediction == 1);

  // Three images with softmax(1, 0, 0), one with softmax(1, 0, 0.2): 0.576 and 0.550, in one bin.
  const double p = std::exp(1.0) / (std::exp(1.0) + 2.0);
  const double q = std::exp(1.0) / (std::exp(1.0) + 1.0 + std::exp(0.2));
  CHECK(figures.mistakes[0].probability == Approx(p));
  CHECK(figures.loss ==
        Approx(-(2.0 * std::log(p) + std::log((1.0 - p) / 2.0) + std::log(q)) / 4.0));
  CHECK(figures.calibration_error == Approx((3.0 - (3.0 * p + q)) / 4.0));
}

TEST_CASE("images keep their numbers, however many there are") {
  constexpr std::size_t kCount = 1001, kWrong = 700;
  LabelledImages images{1, 3, {}, std::vector<std::uint8_t>(kCount, 1)};
  for (std::size_t i = 0; i < kCount; ++i) images.pixels.insert(images.pixels.end(), {0, 255, 0});
  images.labels[kWrong] = 2;
  SavedModel model = identity();
  const ModelFigures figures = evaluate_model(model, images);
  CHECK(figures.images == kCount);
  REQUIRE(figures.mistakes.size() == 1);
  CHECK(figures.mistakes[0].image == kWrong);
}

TEST_CASE("a model that says NaN is refused, not counted") {
  SavedModel model{{}, {}, "damaged", {"a", "b", "c"}, {}};
  drape::Linear damaged(3, 3);
  damaged.visit([](std::string_view, drape::Role, drape::Tensor& tensor) {
    tensor.data<float>()[0] = std::nanf("");
  });
  model.network.add("flatten", drape::Flatten());
  model.network.add("linear", std::move(damaged));
  CHECK_THAT(drape::tests::error_of([&] { evaluate_model(model, kImages); }),
             ContainsSubstring("expected logits that are numbers, got NaN"));
}

TEST_CASE("the figures of a model are printed, written and drawn") {
  SavedModel model = identity();
  const ModelFigures figures = evaluate_model(model, kImages);
  CHECK_THAT(text_of(figures, model.classes),
             ContainsSubstring("accuracy 75.00 %") && ContainsSubstring("b (1)"));
  const auto json = nlohmann::json::parse(json_of(figures, model.classes));
  CHECK(json["classes"][1]["precision"] == 0.5);
  CHECK(json["mistakes"][0]["image"] == 2);
  const std::string picture = picture_of(figures.mistakes, kImages, model.classes, 10);
  CHECK_THAT(picture, ContainsSubstring("data:image/png;base64,iVBOR") &&
                          ContainsSubstring("<text") && ContainsSubstring("</svg>"));
  CHECK_THAT(picture_of({}, kImages, model.classes, 10), ContainsSubstring("<svg"));
}
