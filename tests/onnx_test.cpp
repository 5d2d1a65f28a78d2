// ONNX files: their structure. That other programs compute the same from them is checked by
// tests/tools/onnx_check.py.
#include "core/onnx.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/layout.h"
#include "layers/deform_conv2d.h"
#include "layers/linear.h"
#include "models/build.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/op_table.h"
#include "tests/skip.h"

namespace {

using drape::OnnxGraph;
using drape::OnnxValue;
using drape::Shape;
using drape::Tensor;
using drape::tests::content;
using drape::tests::TemporaryFolder;
using protozero::pbf_reader;

// The operators of a file's nodes, in order.
std::vector<std::string> operators(const std::string& file) {
  std::vector<std::string> found;
  pbf_reader model(file);
  while (model.next(7)) {
    pbf_reader graph = model.get_message();
    while (graph.next(1)) {
      pbf_reader node = graph.get_message();
      while (node.next(4)) found.push_back(node.get_string());
    }
  }
  return found;
}

}  // namespace

TEST_CASE("channels come first where they do elsewhere, and go back") {
  const Tensor x = Tensor::from<float>(Shape{1, 2, 1, 3}, {0, 1, 2, 3, 4, 5});
  const Tensor first = drape::channels_first(x);
  CHECK(first.shape() == Shape{1, 3, 2, 1});
  CHECK(first.to_vector<float>() == std::vector<float>{0, 3, 1, 4, 2, 5});
  CHECK(drape::channels_last(first).shape() == x.shape());
  CHECK(drape::channels_last(first).to_vector<float>() == x.to_vector<float>());
}

TEST_CASE("every system has a graph of its layers' nodes") {
  const TemporaryFolder folder;
  for (const drape::System& system : drape::systems()) {
    CAPTURE(system.name);
    drape::Sequential model = build_system(system);
    OnnxGraph graph;
    const OnnxValue x{"x", {1, 28, 28, 1}};
    const OnnxValue y = model.onnx(graph, x);
    CHECK(y.shape == model.output_shape(x.shape));
    graph.write(folder / "model.onnx", x, y, {{"system", std::string(system.name)}});
    const std::string file = content(folder / "model.onnx");
    CHECK(file.size() > static_cast<std::size_t>(4 * model.parameter_count()));
    CHECK_THAT(file, ContainsSubstring(std::string(system.name)));
    if (system.name != "deformable") continue;
    CHECK(operators(file) == std::vector<std::string>{"Conv", "DeformConv", "Relu", "MaxPool",
                                                      "Conv", "DeformConv", "Relu", "MaxPool",
                                                      "Transpose", "Flatten", "Gemm", "Relu",
                                                      "Gemm"});
  }
}

// DCNv2 with groups: weights of all kinds, and what it makes of an image.
struct Modulated {
  Modulated()
      : layer(4, 6, 3, {.padding = 1, .dilation = 2, .groups = 2, .offset_groups = 2},
              drape::Modulation::masked) {
    std::uint64_t id = 0;
    for (drape::NamedTensor& entry : layer.state())
      entry.tensor.assign(drape::tests::draw(entry.tensor.shape(), drape::tests::Values::uniform,
                                             {.seed = 4, .id = id++}, drape::DType::f32));
    x = drape::tests::draw({1, 9, 8, 4}, drape::tests::Values::uniform, {.seed = 4, .id = id},
                           drape::DType::f32);
    drape::Pass pass = drape::Pass::eval();
    y = layer.forward(x, pass);
  }

  void write(const std::filesystem::path& path) const {
    OnnxGraph graph;
    graph.enter("modulated");
    const OnnxValue in{"x", x.shape()};
    graph.write(path, in, layer.onnx(graph, in), {});
  }

  drape::DeformConv2d layer;
  Tensor x, y;
};

TEST_CASE("a modulated layer has a mask in its graph") {
  const TemporaryFolder folder;
  Modulated().write(folder / "model.onnx");
  CHECK(operators(content(folder / "model.onnx")) ==
        std::vector<std::string>{"Conv", "Conv", "Sigmoid", "DeformConv"});
}

// For tests/tools/onnx_check.py: the model, an image and the result, channels first.
TEST_CASE("write a modulated layer", "[.write]") {
  const char* const name = std::getenv("DRAPE_ONNX_FOLDER");
  if (name == nullptr) return drape::tests::skip("DRAPE_ONNX_FOLDER is not set");
  const std::filesystem::path folder = name;
  const Modulated modulated;
  modulated.write(folder / "modulated.onnx");
  const auto write = [&](const char* file, const Tensor& tensor) {
    const std::vector<float> elements = drape::channels_first(tensor).to_vector<float>();
    std::ofstream(folder / file, std::ios::binary)
        .write(reinterpret_cast<const char*>(elements.data()),
               static_cast<std::streamsize>(4 * elements.size()));
  };
  write("modulated.x", modulated.x);
  write("modulated.y", modulated.y);
  SUCCEED("written");
}

TEST_CASE("constants of modules inside modules have names of their own") {
  const TemporaryFolder folder;
  drape::Sequential model;
  for (const char* name : {"first", "second"}) {
    drape::Sequential block;
    block.add("fc", drape::Linear(2, 2));
    model.add(name, std::move(block));
  }
  OnnxGraph graph;
  const OnnxValue x{"x", {1, 2}};
  graph.write(folder / "model.onnx", x, model.onnx(graph, x), {});
  std::vector<std::string> names;
  const std::string file = content(folder / "model.onnx");
  pbf_reader reader(file);
  while (reader.next(7)) {
    pbf_reader fields = reader.get_message();
    while (fields.next(5)) {
      pbf_reader initializer = fields.get_message();
      while (initializer.next(8)) names.push_back(initializer.get_string());
    }
  }
  CHECK(names == std::vector<std::string>{"first.fc.weight", "first.fc.bias", "second.fc.weight",
                                          "second.fc.bias"});
}

TEST_CASE("two constants of one name are refused") {
  OnnxGraph graph;
  graph.enter("fc");
  graph.constant("weight", Tensor::zeros({1}));
  CHECK_THROWS_WITH(graph.constant("weight", Tensor::zeros({1})),
                    "onnx: expected each name once, got 'fc.weight' twice: enter() each module by "
                    "a name of its own");
}

TEST_CASE("a module without a form in ONNX is named") {
  class Strange : public drape::Module {
    Tensor forward(const Tensor& x, const drape::Pass&) override { return x; }
    Shape output_shape(const Shape& x) const override { return x; }
  };
  OnnxGraph graph;
  drape::Sequential model;
  model.add("strange", Strange());
  CHECK_THAT(drape::tests::error_of([&] {
               model.onnx(graph, {"x", {1, 2, 2, 1}});
             }),
             ContainsSubstring("'strange'"));
}
