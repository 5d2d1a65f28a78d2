// Predictions: a saved model says of images what the trained one said.
#include "examples/predict.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/checkpoint.h"
#include "data/idx.h"
#include "data/synthetic.h"
#include "examples/experiment.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"

namespace {

namespace fs = std::filesystem;
using drape::Prediction;
using drape::PredictionFormat;
using drape::PredictOptions;
using drape::SavedModel;
using drape::tests::error_of;
using drape::tests::TemporaryFolder;

// A model that was trained for a moment, and the images that it was judged by.
struct Trained {
  Trained() : garments(drape::synthetic_garments(5, 96, 20)) {
    const drape::StoredData data = drape::store(garments, 0, drape::Device::cpu);
    drape::Observer silent;
    const std::atomic<bool> never{false};
    outcome = run_experiment({"dilated3",
                              {.architecture = drape::Architecture::dilated, .dilation = 3},
                              {.epochs = 2},
                              drape::Protocol::published,
                              folder / "run"},
                             data, silent, never);
    drape::write_idx(folder / "images-ubyte", std::vector<std::int64_t>{20, 28, 28},
                     garments.test.pixels);
  }
  fs::path weights() const { return folder / "run/weights.safetensors"; }

  TemporaryFolder folder;
  drape::DataSet garments;
  drape::Outcome outcome;
};

}  // namespace

TEST_CASE("a saved model predicts what it did in training") {
  const Trained trained;
  SavedModel model = drape::load_model(trained.weights());
  CHECK(model.system == "dilated3");
  CHECK(model.options.dilation == 3);
  CHECK(model.classes.size() == 10);
  const auto predictions = predict(model, {.images = {trained.folder / "images-ubyte"}, .top = 10});
  REQUIRE(predictions.size() == 20);
  double right = 0.0;
  for (std::size_t i = 0; i < 20; ++i) {
    REQUIRE(predictions[i].classes.size() == 10);
    double sum = 0.0, before = 1.0;
    for (const Prediction::Class& one : predictions[i].classes) {
      CHECK(one.probability <= before);
      before = one.probability;
      sum += one.probability;
    }
    CHECK(sum == Approx(1.0));
    right += predictions[i].classes[0].index == trained.garments.test.labels[i] ? 1.0 : 0.0;
  }
  REQUIRE(trained.outcome.run);
  CHECK(right / 20.0 == Approx(trained.outcome.run->best_validation_accuracy));
}

TEST_CASE("an image in negative is one of the other sign") {
  const Trained trained;
  SavedModel model = drape::load_model(trained.weights());
  std::vector<std::uint8_t> negative = trained.garments.test.pixels;
  for (std::uint8_t& pixel : negative) pixel = static_cast<std::uint8_t>(255 - pixel);
  const fs::path path = trained.folder / "negative-ubyte";
  drape::write_idx(path, std::vector<std::int64_t>{20, 28, 28}, negative);
  const auto straight = predict(model, {.images = {trained.folder / "images-ubyte"}});
  const auto inverted = predict(model, {.images = {path}, .invert = true});
  for (std::size_t i = 0; i < 20; ++i)
    CHECK(straight[i].classes[0].probability == inverted[i].classes[0].probability);
}

TEST_CASE("predictions are printed as a table, CSV or JSON") {
  const std::vector<Prediction> predictions{{"a,b.png", {{1, 0.75}, {0, 0.25}}}};
  const std::vector<std::string> names{"Bag", "T-shirt/top"};
  CHECK(text_of(predictions, names, PredictionFormat::table) ==
        "a,b.png   75.0 % T-shirt/top   25.0 % Bag\n");
  CHECK(text_of(predictions, names, PredictionFormat::csv) ==
        "image,rank,class,name,probability\n"
        "\"a,b.png\",1,1,T-shirt/top,0.750000\n\"a,b.png\",2,0,Bag,0.250000\n");
  const std::vector<Prediction> hostile{{"e\x1b[31m\n.png", {{0, 1.0}}}};
  CHECK(text_of(hostile,
                {"\x1b"
                 "b"},
                PredictionFormat::table) == "e?[31m .png  100.0 % ?b\n");
  const auto json = nlohmann::json::parse(text_of(predictions, names, PredictionFormat::json));
  CHECK(json[0]["image"] == "a,b.png");
  CHECK(json[0]["classes"][0]["name"] == "T-shirt/top");
  CHECK(json[0]["classes"][1]["probability"] == 0.25);
}

TEST_CASE("a file of weights that is no model's is refused with what is missing") {
  const TemporaryFolder folder;
  const fs::path path = folder / "w";
  const auto refusal = [&](const drape::Weights& weights) {
    save_weights(path, weights);
    return error_of([&] { drape::load_model(path); });
  };
  CHECK_THAT(refusal({}), ContainsSubstring("expected 'architecture' in the metadata, got none"));
  auto metadata = drape::network_metadata({}, {"one", "two"});
  metadata["system"] = "standard";
  CHECK_THAT(refusal({{}, metadata}), ContainsSubstring("expected a tensor"));
  metadata["dilation"] = "1e9";
  CHECK_THAT(refusal({{}, metadata}), ContainsSubstring("'dilation', got '1e9'"));
  metadata["architecture"] = "resnet";
  CHECK_THAT(refusal({{}, metadata}), ContainsSubstring("'architecture', got 'resnet'"));
}
