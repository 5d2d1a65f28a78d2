#include "layers/flatten.h"

namespace drape {
namespace {

Shape flat(const Shape& x) {
  DRAPE_CHECK(x.rank() >= 1, "flatten: expected x [N,...], got a scalar");
  std::int64_t rest = 1;
  for (const std::int64_t extent : x.extents().subspan(1)) rest *= extent;
  return {x[0], rest};
}

}  // namespace

Tensor flatten(const Tensor& x) {
  return x.reshape(flat(x.shape()));
}

Shape Flatten::output_shape(const Shape& x) const {
  return flat(x);
}

OnnxValue Flatten::onnx(OnnxGraph& graph, const OnnxValue& x) const {
  std::string input = x.name;  // of images [N,C,H,W] there; the order of elements is ours
  if (x.shape.rank() == 4)
    input = graph.node("Transpose", {input}, {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}});
  return {graph.node("Flatten", {input}), output_shape(x.shape)};
}

}  // namespace drape
