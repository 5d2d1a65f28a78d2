#include "core/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "core/digest.h"
#include "core/file.h"
#include "core/json_text.h"
#include "core/stored_elements.h"

namespace drape {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are stored little-endian");

using Json = nlohmann::ordered_json;

constexpr std::string_view kMetadata = "__metadata__", kDigest = "sha256";
constexpr std::size_t kDigits = 64;
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 40;

std::string_view safetensors_name(DType dtype) {
  constexpr std::array<std::string_view, 5> kNames{"F32", "F64", "BF16", "U8", "I32"};
  return kNames[static_cast<std::size_t>(dtype)];
}

// Parses a header of at most four levels (file, tensor, shape, extent) in which no name comes
// twice.
Json parse_header(std::string_view text) {
  std::set<std::string> names;
  const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    DRAPE_CHECK(depth <= 3, "expected a header of tensors, got one nested deeper");
    if (event == Json::parse_event_t::key && depth == 1) {
      DRAPE_CHECK(names.insert(value.get<std::string>()).second,
                  "expected each name once, got '{}' twice", value.get<std::string>());
    }
    return true;
  };
  DRAPE_CHECK(text.starts_with('{'), "expected a header that begins with '{{'");
  Json header = Json::parse(text, check, /*allow_exceptions=*/false);
  DRAPE_CHECK(header.is_object(), "expected a JSON object as header, got something else");
  return header;
}

// The non-negative whole numbers of array `key` of a tensor's entry.
std::vector<std::int64_t> numbers(const Json& entry, const std::string& name, const char* key) {
  const auto field = entry.is_object() ? entry.find(key) : entry.end();
  const auto is_number = [](const Json& value) {
    return value.is_number_unsigned() && value.get<std::uint64_t>() < (std::uint64_t{1} << 48);
  };
  DRAPE_CHECK(field != entry.end() && field->is_array() && std::ranges::all_of(*field, is_number),
              "expected whole numbers as '{}' of '{}', got something else", key, name);
  return field->get<std::vector<std::int64_t>>();
}

const StoredType& type_of(const Json& entry, const std::string& name) {
  const auto field = entry.find("dtype");
  std::vector<std::string_view> names;
  for (const StoredType& type : stored_types()) {
    if (field != entry.end() && *field == type.name) return type;
    names.push_back(type.name);
  }
  throw Error(fmt::format("expected one of {} as 'dtype' of '{}', got something else",
                          fmt::join(names, ", "), name));
}

// Where a tensor's elements lie in the data.
struct Entry {
  std::string name;
  const StoredType& type;
  Shape shape;
  std::int64_t begin, end;
};

Entry parse_entry(const std::string& name, const Json& json) {
  const std::vector<std::int64_t> extents = numbers(json, name, "shape");
  const std::vector<std::int64_t> range = numbers(json, name, "data_offsets");
  DRAPE_CHECK(range.size() == 2, "expected two data_offsets of '{}', got {}", name, range.size());
  Entry entry{name, type_of(json, name), Shape(extents), range[0], range[1]};
  const std::int64_t bytes = entry.shape.size() * entry.type.bytes;
  DRAPE_CHECK(entry.end - entry.begin == bytes, "expected {} bytes for '{}' of shape {}, got {}",
              bytes, name, entry.shape.to_string(), entry.end - entry.begin);
  return entry;
}

// Every byte of the data belongs to exactly one tensor.
void check_coverage(const std::vector<Entry>& entries, std::size_t data_bytes) {
  std::vector<const Entry*> sorted;
  for (const Entry& entry : entries) sorted.push_back(&entry);
  std::ranges::sort(sorted, {},
                    [](const Entry* entry) { return std::pair(entry->begin, entry->end); });
  std::int64_t covered = 0;
  for (const Entry* entry : sorted) {
    DRAPE_CHECK(entry->begin == covered, "expected '{}' to begin at byte {} of the data, got {}",
                entry->name, covered, entry->begin);
    covered = entry->end;
  }
  DRAPE_CHECK(covered == static_cast<std::int64_t>(data_bytes), "expected {} bytes of data, got {}",
              covered, data_bytes);
}

Tensor load(const Entry& entry, std::string_view data) {
  const auto begin = static_cast<std::size_t>(entry.begin);
  const std::string_view bytes = data.substr(begin, static_cast<std::size_t>(entry.end) - begin);
  try {
    return load_elements(entry.type, entry.shape, bytes);
  } catch (const Error& error) {
    throw Error(fmt::format("'{}': {}", entry.name, error.what()));
  }
}

std::map<std::string, std::string> parse_metadata(const Json& json) {
  const auto is_text = [](const Json& value) { return value.is_string(); };
  DRAPE_CHECK(json.is_object() && std::ranges::all_of(json, is_text),
              "expected strings as metadata, got something else");
  return json.get<std::map<std::string, std::string>>();
}

std::string digest_of(const std::string& file) {
  return sha256_hex(std::span(reinterpret_cast<const std::uint8_t*>(file.data()), file.size()));
}

// What the metadata says of the digest is what the file has, with zeros in its place.
void check_digest(std::string file, const std::map<std::string, std::string>& metadata,
                  Digest digest) {
  const auto entry = metadata.find(std::string(kDigest));
  DRAPE_CHECK(entry != metadata.end() || digest == Digest::if_there,
              "expected a digest '{}' in the metadata, got none", kDigest);
  if (entry == metadata.end()) return;
  const std::string expected = entry->second;
  const std::size_t place = file.find(expected);
  DRAPE_CHECK(expected.size() == kDigits && place != std::string::npos,
              "expected {} digits as '{}', got something else", kDigits, kDigest);
  file.replace(place, kDigits, kDigits, '0');
  const std::string found = digest_of(file);
  DRAPE_CHECK(found == expected, "expected content with SHA-256 {}, got {}", expected, found);
}

Weights parse(std::string_view file) {
  std::uint64_t length = 0;
  DRAPE_CHECK(file.size() >= kLengthBytes, "expected at least {} bytes, got {}", kLengthBytes,
              file.size());
  std::memcpy(&length, file.data(), kLengthBytes);
  file.remove_prefix(kLengthBytes);
  DRAPE_CHECK(length <= std::min(file.size(), kMaxHeaderBytes),
              "expected a safetensors header of at most {} bytes, got a length of {}",
              std::min(file.size(), kMaxHeaderBytes), length);
  const std::string_view data = file.substr(length);
  Weights weights;
  std::vector<Entry> entries;
  const Json header = parse_header(file.substr(0, length));
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata)
      weights.metadata = parse_metadata(json);
    else
      entries.push_back(parse_entry(name, json));
  }
  check_coverage(entries, data.size());
  for (const Entry& entry : entries) weights.tensors.emplace_back(entry.name, load(entry, data));
  return weights;
}

// The header, with zeros in the place of the digest.
std::string header_of(const Weights& weights) {
  std::map<std::string, std::string> metadata = weights.metadata;
  metadata.emplace("layout", "NHWC");
  metadata[std::string(kDigest)] = std::string(kDigits, '0');
  std::vector<std::pair<std::string_view, std::string>> members{{kMetadata, json_object(metadata)}};
  std::set<std::string_view> names{kMetadata};
  std::int64_t begin = 0;
  for (const auto& [name, tensor] : weights.tensors) {
    DRAPE_CHECK(names.insert(name).second, "weights: expected each name once, got '{}' twice",
                name);
    DRAPE_CHECK(!tensor.empty(), "weights: expected '{}' with elements, got an empty tensor", name);
    const std::int64_t end = begin + tensor.bytes();
    members.emplace_back(name,
                         fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                     safetensors_name(tensor.dtype()),
                                     fmt::join(tensor.shape().extents(), ","), begin, end));
    begin = end;
  }
  return json_object(members);
}

}  // namespace

void save_weights(const std::filesystem::path& path, const Weights& weights) {
  std::string text = header_of(weights);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // elements begin on 8-byte bounds
  DRAPE_CHECK(text.size() <= kMaxHeaderBytes,
              "weights: expected names and metadata of at most {} bytes in '{}', got {}",
              kMaxHeaderBytes, path.string(), text.size());
  const std::uint64_t length = text.size();
  std::string file(kLengthBytes, '\0');
  std::memcpy(file.data(), &length, kLengthBytes);
  file += text;
  for (const auto& [name, tensor] : weights.tensors) {
    const Tensor host = tensor.to(Device::cpu);
    file.append(static_cast<const char*>(host.elements()), static_cast<std::size_t>(host.bytes()));
  }
  const std::string digest_member = fmt::format("\"{}\":\"", kDigest);
  file.replace(file.find(digest_member + std::string(kDigits, '0')) + digest_member.size(), kDigits,
               digest_of(file));
  write_file_atomically(path, file);
}

Weights load_weights(const std::filesystem::path& path, Digest digest) {
  return parse_weights(read_file(path, kMaxFileBytes), path.string(), digest);
}

Weights parse_weights(std::string content, std::string_view name, Digest digest) {
  try {
    Weights weights = parse(content);
    check_digest(std::move(content), weights.metadata, digest);
    return weights;
  } catch (const Error& error) {
    throw Error(fmt::format("weights: {}: {}", name, error.what()));
  }
}

void assign_weights(const Weights& weights, const NamedTensors& targets) {
  std::map<std::string_view, Tensor> missing(targets.begin(), targets.end());
  for (const auto& [name, source] : weights.tensors) {
    const auto target = missing.find(name);
    DRAPE_CHECK(target != missing.end(), "weights: expected no tensor '{}', got one", name);
    DRAPE_CHECK(source.shape() == target->second.shape(),
                "weights: expected '{}' of shape {}, got {}", name,
                target->second.shape().to_string(), source.shape().to_string());
    const DType from = source.dtype(), to = target->second.dtype();
    DRAPE_CHECK(from == to || (is_real(from) && is_real(to)),
                "weights: expected '{}' of type {}, got {}", name, drape::name(to),
                drape::name(from));
    missing.erase(target);
  }
  DRAPE_CHECK(missing.empty(), "weights: expected a tensor '{}', got none", missing.begin()->first);
  std::map<std::string_view, Tensor> found(targets.begin(), targets.end());
  for (const auto& [name, source] : weights.tensors) {
    Tensor& target = found.at(name);
    target.assign(source.to(target.device()));
  }
}

}  // namespace drape
