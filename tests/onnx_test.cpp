// ONNX files: their structure. That other programs compute the same from them is checked by
// tests/tools/onnx_check.py.
#include "core/onnx.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/checkpoint.h"
#include "core/layout.h"
#include "layers/conv2d.h"
#include "layers/deform_conv2d.h"
#include "layers/linear.h"
#include "models/build.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/op_table.h"
#include "tests/programs.h"
#include "tests/skip.h"

namespace {

using drape::OnnxGraph;
using drape::OnnxValue;
using drape::Shape;
using drape::Tensor;
using drape::tests::content;
using drape::tests::TemporaryFolder;
using protozero::pbf_reader;

// A node of a file's graph, with the attributes that are whole numbers or lists of them.
struct Node {
  std::string op;
  std::map<std::string, std::vector<std::int64_t>> attributes;
};
struct Constant {
  std::vector<std::int64_t> dims;
  std::vector<float> elements;
};
struct Graph {
  std::vector<Node> nodes;
  std::map<std::string, Constant> constants;
};

// Attribute of onnx.proto: 1 name, 3 i, 8 ints, 20 type: 2 INT, 7 INTS.
void read_attribute(pbf_reader field, Node& node) {
  std::string name;
  std::vector<std::int64_t> numbers;
  int type = 0;
  bool list = false;
  while (field.next()) {
    if (field.tag() == 1) {
      name = field.get_string();
    } else if (field.tag() == 3 || field.tag() == 8) {
      list = field.tag() == 8;
      numbers.push_back(field.get_int64());
    } else if (field.tag() == 20) {
      type = field.get_enum();
    } else {
      field.skip();
    }
  }
  CHECK(type == (list ? 7 : 2));
  node.attributes[name] = numbers;
}

Node read_node(pbf_reader field) {  // 4 op_type, 5 attribute
  Node node;
  while (field.next()) {
    if (field.tag() == 4)
      node.op = field.get_string();
    else if (field.tag() == 5)
      read_attribute(field.get_message(), node);
    else
      field.skip();
  }
  return node;
}

// Tensor of onnx.proto: 1 dims, 2 data_type: 1 FLOAT, 8 name, 9 raw_data.
void read_constant(pbf_reader field, Graph& graph) {
  std::string name;
  Constant constant;
  int type = 0;
  while (field.next()) {
    if (field.tag() == 1) {
      constant.dims.push_back(field.get_int64());
    } else if (field.tag() == 2) {
      type = field.get_int32();
    } else if (field.tag() == 8) {
      name = field.get_string();
    } else if (field.tag() == 9) {
      const std::string bytes = field.get_bytes();
      constant.elements.resize(bytes.size() / sizeof(float));
      std::memcpy(constant.elements.data(), bytes.data(), bytes.size());
    } else {
      field.skip();
    }
  }
  CHECK(type == 1);
  graph.constants[name] = constant;
}

Graph graph_in(const std::string& file) {
  Graph found;
  pbf_reader model(file);
  while (model.next(7)) {
    pbf_reader graph = model.get_message();
    while (graph.next()) {
      if (graph.tag() == 1)
        found.nodes.push_back(read_node(graph.get_message()));
      else if (graph.tag() == 5)
        read_constant(graph.get_message(), found);
      else
        graph.skip();
    }
  }
  return found;
}

// The operators of a file's nodes, in order.
std::vector<std::string> operators(const std::string& file) {
  std::vector<std::string> found;
  for (const Node& node : graph_in(file).nodes) found.push_back(node.op);
  return found;
}

void check_constant(const Graph& graph, const std::string& name, const Tensor& expected) {
  CAPTURE(name);
  REQUIRE(graph.constants.contains(name));
  const Constant& found = graph.constants.at(name);
  const auto extents = expected.shape().extents();
  CHECK(found.dims == std::vector<std::int64_t>(extents.begin(), extents.end()));
  CHECK(found.elements == expected.to_vector<float>());
}

// Gives a layer's parameters values that differ, and writes it as a graph.
Graph graph_of(drape::Module& layer, const Shape& x) {
  std::uint64_t id = 0;
  for (drape::NamedTensor& entry : layer.state())
    entry.tensor.assign(drape::tests::draw(entry.tensor.shape(), drape::tests::Values::uniform,
                                           {.seed = 5, .id = id++}, drape::DType::f32));
  const TemporaryFolder folder;
  OnnxGraph graph;
  graph.enter("layer");
  const OnnxValue in{"x", x};
  graph.write(folder / "model.onnx", in, layer.onnx(graph, in), {});
  return graph_in(content(folder / "model.onnx"));
}

using Attributes = std::map<std::string, std::vector<std::int64_t>>;

}  // namespace

TEST_CASE("a convolution's node has its geometry, rows first, and its filters channels first") {
  drape::Conv2d layer(4, 6, 3,
                      {.stride = {2, 1}, .padding = {0, 3}, .dilation = {1, 2}, .groups = 2});
  const Graph graph = graph_of(layer, {1, 9, 8, 4});
  REQUIRE(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].op == "Conv");
  CHECK(graph.nodes[0].attributes == Attributes{{"kernel_shape", {3, 3}},
                                                {"strides", {2, 1}},
                                                {"pads", {0, 3, 0, 3}},
                                                {"dilations", {1, 2}},
                                                {"group", {2}}});
  REQUIRE(layer.state().size() == 2);
  const Tensor w = layer.state()[0].tensor;
  CHECK(w.shape() == Shape{6, 3, 3, 2});
  check_constant(graph, "layer.weight", drape::channels_first(w));
  CHECK(graph.constants.at("layer.weight").dims == std::vector<std::int64_t>{6, 2, 3, 3});
  check_constant(graph, "layer.bias", layer.state()[1].tensor);
}

TEST_CASE("a deformable convolution's nodes have its geometry and all of its groups") {
  drape::DeformConv2d layer(
      4, 6, 3,
      {.stride = {2, 1}, .padding = {0, 3}, .dilation = {1, 2}, .groups = 2, .offset_groups = 4});
  const Graph graph = graph_of(layer, {1, 9, 8, 4});
  Attributes attributes{{"kernel_shape", {3, 3}},
                        {"strides", {2, 1}},
                        {"pads", {0, 3, 0, 3}},
                        {"dilations", {1, 2}},
                        {"group", {1}}};
  REQUIRE(graph.nodes.size() == 2);
  CHECK(graph.nodes[0].op == "Conv");
  CHECK(graph.nodes[0].attributes == attributes);
  attributes["group"] = {2};
  attributes["offset_group"] = {4};
  CHECK(graph.nodes[1].op == "DeformConv");
  CHECK(graph.nodes[1].attributes == attributes);
  CHECK(graph.constants.size() == 4);
  for (const drape::NamedTensor& entry : layer.state()) {
    const bool filters = entry.tensor.shape().rank() == 4;
    check_constant(graph, "layer." + entry.name,
                   filters ? drape::channels_first(entry.tensor) : entry.tensor);
  }
}

TEST_CASE("a linear layer's node takes its weights as they are") {
  drape::Linear layer(3, 2);
  const Graph graph = graph_of(layer, {1, 3});
  REQUIRE(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].op == "Gemm");
  CHECK(graph.nodes[0].attributes == Attributes{{"transB", {1}}});
  check_constant(graph, "layer.weight", layer.state()[0].tensor);
  check_constant(graph, "layer.bias", layer.state()[1].tensor);
}

TEST_CASE("a program exports what it trained: every weight, and what it is") {
  const TemporaryFolder folder;
  REQUIRE(drape::tests::run("standard --quiet" + drape::tests::kSmall + "--out " +
                            drape::tests::quoted(folder.path()))
              .exit_code == 0);
  const std::filesystem::path weights = folder / "standard/seed0/weights.safetensors";
  REQUIRE(drape::tests::run("drape export " + drape::tests::quoted(weights) + " " +
                            drape::tests::quoted(folder / "model.onnx"))
              .exit_code == 0);
  const std::string file = content(folder / "model.onnx");
  const Graph graph = graph_in(file);
  const drape::Weights saved = drape::load_weights(weights);
  CHECK(graph.constants.size() == saved.tensors.size());
  for (const auto& [name, tensor] : saved.tensors)
    check_constant(graph, name,
                   tensor.shape().rank() == 4 ? drape::channels_first(tensor) : tensor);
  std::map<std::string, std::string> metadata;
  pbf_reader model(file);
  while (model.next(14)) {
    pbf_reader pair = model.get_message();
    REQUIRE(pair.next(1));
    const std::string key = pair.get_string();
    REQUIRE(pair.next(2));
    metadata[key] = pair.get_string();
  }
  CHECK(metadata.at("system") == "standard");
  CHECK(metadata.at("layout") == "NCHW");
}

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
