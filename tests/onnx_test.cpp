// ONNX files: their structure. That other programs compute the same from them is checked by
// tests/tools/onnx_check.py.
#include "core/onnx.h"

#include <filesystem>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

#include "core/layout.h"
#include "models/build.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"

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

TEST_CASE("a module without a form in ONNX is named") {
  class Strange : public drape::Module {
    Tensor forward(const Tensor& x, drape::Pass&) override { return x; }
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
