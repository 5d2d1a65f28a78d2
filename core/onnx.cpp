#include "core/onnx.h"

#include <cstring>
#include <protozero/pbf_writer.hpp>

#include "core/file.h"
#include "core/layout.h"

namespace drape {
namespace {

using protozero::pbf_writer;

// Field numbers of onnx.proto, message by message.
namespace model {
enum Field { ir_version = 1, producer = 2, graph = 7, operator_set = 8, metadata = 14 };
}
namespace operator_set {
enum Field { domain = 1, version = 2 };
}
namespace graph {
enum Field { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
}
namespace node {
enum Field { input = 1, output = 2, name = 3, op_type = 4, attribute = 5 };
}
namespace attribute {
enum Field { name = 1, f = 2, i = 3, ints = 8, type = 20 };
enum Type { is_float = 1, is_int = 2, is_ints = 7 };
}  // namespace attribute
namespace tensor {
enum Field { dims = 1, data_type = 2, name = 8, raw_data = 9 };
}
namespace value {  // ValueInfo, Type, Tensor of Type, TensorShape, Dimension
enum Info { name = 1, type = 2 };
enum Type { tensor = 1 };
enum TensorType { element = 1, shape = 2 };
enum Shape { dimension = 1 };
enum Dimension { extent = 1, parameter = 2 };
}  // namespace value
namespace entry {
enum Field { key = 1, value = 2 };
}

constexpr std::int64_t kIrVersion = 9, kOperatorSet = 19;
constexpr std::int32_t kFloat = 1;

void write_attribute(pbf_writer& to, const OnnxAttribute& given) {
  pbf_writer writer(to, node::attribute);
  writer.add_string(attribute::name, given.first.data(), given.first.size());
  if (const auto* whole = std::get_if<std::int64_t>(&given.second)) {
    writer.add_int64(attribute::i, *whole);
    writer.add_enum(attribute::type, attribute::is_int);
  } else if (const auto* real = std::get_if<float>(&given.second)) {
    writer.add_float(attribute::f, *real);
    writer.add_enum(attribute::type, attribute::is_float);
  } else {
    for (const std::int64_t number : std::get<std::vector<std::int64_t>>(given.second))
      writer.add_int64(attribute::ints, number);
    writer.add_enum(attribute::type, attribute::is_ints);
  }
}

// Extents as the graph has them, the first left open.
void write_value(pbf_writer& to, graph::Field field, const OnnxValue& given) {
  std::vector<std::int64_t> extents(given.shape.extents().begin(), given.shape.extents().end());
  if (extents.size() == 4) extents = {extents[0], extents[3], extents[1], extents[2]};
  pbf_writer info(to, field);
  info.add_string(value::name, given.name);
  pbf_writer type(info, value::type);
  pbf_writer tensor(type, value::tensor);
  tensor.add_enum(value::element, kFloat);
  pbf_writer shape(tensor, value::shape);
  for (std::size_t i = 0; i < extents.size(); ++i) {
    pbf_writer dimension(shape, value::dimension);
    if (i == 0)
      dimension.add_string(value::parameter, "N");
    else
      dimension.add_int64(value::extent, extents[i]);
  }
}

}  // namespace

std::string OnnxGraph::node(std::string_view op, const std::vector<std::string>& inputs,
                            const std::vector<OnnxAttribute>& attributes) {
  const std::string name = fmt::format("{}/{}{}", module_, op, count_++);
  pbf_writer fields(nodes_);
  pbf_writer writer(fields, graph::node);
  for (const std::string& input : inputs) writer.add_string(node::input, input);
  writer.add_string(node::output, name);
  writer.add_string(node::name, name);
  writer.add_string(node::op_type, op.data(), op.size());
  for (const OnnxAttribute& attribute : attributes) write_attribute(writer, attribute);
  return name;
}

std::string OnnxGraph::constant(std::string_view name, const Tensor& value) {
  const std::string full_name = fmt::format("{}.{}", module_, name);
  DRAPE_CHECK(names_.insert(full_name).second,
              "onnx: expected each name once, got '{}' twice: enter() each module by a name of its "
              "own",
              full_name);
  const std::vector<float> elements = value.to(Device::cpu).to(DType::f32).to_vector<float>();
  std::string bytes(elements.size() * sizeof(float), '\0');  // little-endian, as they lie here
  if (!bytes.empty()) std::memcpy(bytes.data(), elements.data(), bytes.size());
  pbf_writer fields(constants_);
  pbf_writer writer(fields, graph::initializer);
  for (const std::int64_t extent : value.shape().extents()) writer.add_int64(tensor::dims, extent);
  writer.add_int32(tensor::data_type, kFloat);
  writer.add_string(tensor::name, full_name);
  writer.add_bytes(tensor::raw_data, bytes);
  return full_name;
}

std::string OnnxGraph::filters(std::string_view name, const Tensor& value) {
  return constant(name, channels_first(value));
}

void OnnxGraph::write(const std::filesystem::path& path, const OnnxValue& input,
                      const OnnxValue& output, const std::map<std::string, std::string>& metadata) {
  std::string body = nodes_ + constants_;
  pbf_writer fields(body);
  fields.add_string(graph::name, "drape");
  write_value(fields, graph::input, input);
  write_value(fields, graph::output, output);
  std::string file;
  pbf_writer writer(file);
  writer.add_int64(model::ir_version, kIrVersion);
  writer.add_string(model::producer, "drape");
  writer.add_message(model::graph, body);
  {
    pbf_writer operators(writer, model::operator_set);
    operators.add_string(operator_set::domain, "");
    operators.add_int64(operator_set::version, kOperatorSet);
  }
  for (const auto& [key, text] : metadata) {
    pbf_writer pair(writer, model::metadata);
    pair.add_string(entry::key, key);
    pair.add_string(entry::value, text);
  }
  write_file_atomically(path, file);
}

}  // namespace drape
