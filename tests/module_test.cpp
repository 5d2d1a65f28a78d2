// What modules do with their state: share it, freeze it, hand it out. And what misuse says.
#include "layers/module.h"

#include <atomic>
#include <vector>

#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/losses.h"
#include "optim/sgd.h"
#include "optim/trainer.h"
#include "optim/weight_average.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"

namespace drape::tests {
namespace {

// Two layers of one weight and one bias.
Sequential twins() {
  const Linear layer(2, 2, {.input = Activation::none});
  Sequential model;
  model.add("a", layer).add("b", layer);
  Generator random(1, Purpose::initialization);
  model.initialize(random);
  return model;
}

Tensor named(Module& model, const std::string& name) {
  for (const auto& [own, tensor] : model.tensors()) {
    if (own == name) return tensor;
  }
  throw Error("no such tensor: " + name);
}

}  // namespace

TEST_CASE("layers that share parameters are trained as one") {
  Sequential model = twins();
  CHECK(model.parameters().size() == 2);
  CHECK(model.parameter_count() == 6);
  CHECK(model.tensors().size() == 4);
  model.to(DType::f64);
  CHECK(named(model, "a.weight").shares(named(model, "b.weight")));
  CHECK(model.parameter_count() == 6);

  const Tensor start = named(model, "a.weight").clone();
  Sgd optimizer(model.parameters());
  WeightAverage average(model, optimizer, 0.5);
  Tensor dy = Tensor::full({1, 2}, 1.0, DType::f64);
  Generator dropout(1, Purpose::dropout);
  Pass pass = Pass::train(dropout);
  backward(model.forward(Tensor::full({1, 2}, 1.0, DType::f64), pass), dy);
  optimizer.step(1.0);
  average.update();
  const std::vector<double> before = start.to_vector<double>();
  const std::vector<double> after = named(model, "b.weight").to_vector<double>();
  CHECK(after != before);
  average.exchange();
  const std::vector<double> mean = named(model, "b.weight").to_vector<double>();
  for (std::size_t i = 0; i < mean.size(); ++i) CHECK(mean[i] == 0.5 * before[i] + 0.5 * after[i]);
  average.exchange();
  CHECK(named(model, "a.weight").to_vector<double>() == after);
}

TEST_CASE("an optimiser takes each parameter once") {
  Tensor w = Tensor::zeros({1});
  w.track();
  CHECK_THROWS_WITH(Sgd({w, w}), "optimizer: expected each parameter once, got 0 again as 1");
}

TEST_CASE("what is frozen stays as it is while the rest trains, and moves with the model") {
  Sequential model;
  model.add("flatten", Flatten()).add("trunk", Linear(4, 3)).add("head", Linear(3, 2));
  Generator random(1, Purpose::initialization);
  model.initialize(random);
  model.freeze("trunk.");
  CHECK(model.parameters().size() == 2);
  CHECK(model.parameter_count() == 8);
  model.to(DType::f64);
  CHECK(model.parameter_count() == 8);
  CHECK_THROWS_WITH(model.freeze("tail"),
                    "freeze: expected the beginning of a parameter's name, got 'tail'");

  const Tensor trunk = named(model, "trunk.weight").clone(),
               head = named(model, "head.weight").clone();
  Examples examples{.images = Tensor::full({8, 2, 2, 1}, 200.0, DType::u8),
                    .labels = Tensor::zeros({8}, DType::u8),
                    .indices = {0, 1, 2, 3, 4, 5, 6, 7},
                    .classes = 2};
  Observer silent;
  const std::atomic<bool> never{false};
  train(model, examples, examples, {.epochs = 2, .batch = 4, .average_decay = 0.5}, silent, never);
  CHECK(named(model, "trunk.weight").to_vector<double>() == trunk.to_vector<double>());
  CHECK(named(model, "head.weight").to_vector<double>() != head.to_vector<double>());
}

TEST_CASE("deformable convolutions are found in Sequentials within others") {
  Sequential block, model;
  block.add("inner", DeformConv2d(2, 3, 3, {.padding = 1}));
  model.add("outer", DeformConv2d(1, 2, 3, {.padding = 1})).add("block", std::move(block));
  std::vector<std::string> found;
  const Tensor y = each_deformable(model, Tensor::zeros({1, 5, 5, 1}),
                                   [&](const std::string& name, DeformConv2d&, const Tensor& x) {
                                     found.push_back(name + " " + x.shape().to_string());
                                   });
  CHECK(found == std::vector<std::string>{"outer [1,5,5,1]", "block.inner [1,5,5,2]"});
  CHECK(y.shape() == Shape{1, 5, 5, 3});
}

TEST_CASE("a deformable convolution names groups that do not divide its channels") {
  for (const std::int64_t groups : {0, -1, 3}) {
    CAPTURE(groups);
    CHECK_THROWS_WITH(DeformConv2d(4, 8, 3, {.offset_groups = groups}),
                      ContainsSubstring("groups and offset groups that divide the channels"));
  }
}

TEST_CASE("a module that is not there is refused where it is used") {
  Sequential model;
  CHECK_THROWS_WITH(model.add("gone", std::unique_ptr<Module>()),
                    "sequential: expected a module as 'gone', got none");
  Conv2d from(1, 2, 3);
  const Conv2d taken = std::move(from);
  Generator random(1, Purpose::initialization);
  CHECK_THROWS_WITH(from.initialize(random),
                    "initialize: expected a module with parameters, got one moved from");
}

}  // namespace drape::tests
