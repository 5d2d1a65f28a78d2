// Weight files: what is written reads back to the same bits, and nothing else reads.
#include "core/checkpoint.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "core/digest.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/paths.h"
#include "tests/skip.h"

namespace {

namespace fs = std::filesystem;
using drape::DType;
using drape::Shape;
using drape::Tensor;
using drape::Weights;
using drape::tests::content;
using drape::tests::TemporaryFolder;

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string with_length(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + header + data;
}

Weights example() {
  return {{{"conv.weight", Tensor::from<float>(Shape{1, 2, 1, 2}, {0.1f, -2.5f, 1e-38f, 3e38f})},
           {"linear.bias", Tensor::from<double>(Shape{3}, {0.1, -1e300, 5e-324})},
           {"nothing", Tensor::zeros(Shape{0, 3})},
           {"scalar", Tensor::full(Shape{}, 4.0)}},
          {{"seed", "7"}, {"note", "caf\u00e9 \"quoted\""}}};
}

}  // namespace

TEST_CASE("weights read back with the same names, shapes and bits") {
  const TemporaryFolder folder;
  drape::save_weights(folder / "w.safetensors", example());
  const Weights loaded = drape::load_weights(folder / "w.safetensors");
  const Weights expected = example();
  REQUIRE(loaded.tensors.size() == expected.tensors.size());
  for (std::size_t i = 0; i < expected.tensors.size(); ++i) {
    const auto& [name, tensor] = expected.tensors[i];
    CHECK(loaded.tensors[i].first == name);
    CHECK(loaded.tensors[i].second.shape() == tensor.shape());
    REQUIRE(loaded.tensors[i].second.dtype() == tensor.dtype());
    if (tensor.dtype() == DType::f32)
      CHECK(loaded.tensors[i].second.to_vector<float>() == tensor.to_vector<float>());
    else
      CHECK(loaded.tensors[i].second.to_vector<double>() == tensor.to_vector<double>());
  }
  CHECK(loaded.metadata.at("seed") == "7");
  CHECK(loaded.metadata.at("note") == "caf\u00e9 \"quoted\"");
  CHECK(loaded.metadata.at("layout") == "NHWC");
}

TEST_CASE("a weight file is laid out as the safetensors format says") {
  const TemporaryFolder folder;
  drape::save_weights(folder / "w", {{{"a", Tensor::from<float>(Shape{2}, {1.0f, 2.0f})}}, {}});
  const std::string expected = R"({"__metadata__":{"layout":"NHWC","sha256":")"
                               R"("},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  std::string file = content(folder / "w");
  const std::size_t digest = 8 + expected.find(R"(""})") + 1;
  const std::string digits = file.substr(digest, 64);
  CHECK(digits.find_first_not_of("0123456789abcdef") == std::string::npos);
  file.replace(digest, 64, 64, '0');
  CHECK(drape::sha256_hex(drape::tests::bytes(file)) == digits);
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  file.erase(digest, 64);
  length -= 64;
  CHECK((length + 64) % 8 == 0);
  CHECK(file.substr(8, expected.size()) == expected);
  CHECK(file.substr(8 + expected.size(), length - expected.size()) ==
        std::string(length - expected.size(), ' '));
  CHECK(file.substr(8 + length) == std::string("\0\0\x80\x3f\0\0\0\x40", 8));
}

TEST_CASE("every truncation and every longer file of weights is refused") {
  const TemporaryFolder folder;
  drape::save_weights(folder / "w", example());
  const std::string file = content(folder / "w");
  for (std::size_t size = 0; size < file.size(); ++size) {
    CHECK_THROWS_AS(drape::parse_weights(file.substr(0, size), "cut"), drape::Error);
  }
  write(folder / "cut", file + '\0');
  CHECK_THROWS_AS(drape::load_weights(folder / "cut"), drape::Error);
  write(folder / "cut", file);
  CHECK_NOTHROW(drape::load_weights(folder / "cut"));
}

TEST_CASE("every flipped bit of a weight file is refused, or the digest's name is not there") {
  const TemporaryFolder folder;
  drape::save_weights(folder / "w", example());
  const std::string file = content(folder / "w");
  int accepted = 0;
  // All eight of a byte, but not of each.
  constexpr std::size_t kNext = drape::tests::kSanitized ? 7 : 1;
  for (std::size_t bit = 0; bit < 8 * file.size(); bit += kNext) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      const Weights loaded = drape::parse_weights(flipped, "flipped");
      CHECK(loaded.metadata.count("sha256") == 0);
      CHECK(flipped.substr(file.size() - 48) == file.substr(file.size() - 48));  // the elements
      ++accepted;
    } catch (const drape::Error&) {
    }
    CHECK_THROWS_AS(drape::parse_weights(flipped, "flipped", drape::Digest::required),
                    drape::Error);
  }
  CHECK(accepted < 8 * 6);
}

TEST_CASE("a weight file that lies about its content is refused with the reason") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& header, const std::string& data) -> std::string {
    write(folder / "w", with_length(header, data));
    try {
      drape::load_weights(folder / "w");
    } catch (const drape::Error& e) {
      return e.what();
    }
    return "";
  };
  const auto tensor = [](const char* name, const char* shape, const char* offsets) {
    return std::string("\"") + name + R"(":{"dtype":"F32","shape":)" + shape +
           R"(,"data_offsets":)" + offsets + "}";
  };
  const std::string data(8, '\0');
  const std::string a = tensor("a", "[1]", "[0,4]"), b = tensor("b", "[1]", "[4,8]");
  CHECK(error("{" + a + "," + b + "}", data) == "");  // the control: this one is right

  CHECK_THAT(error("{" + a + "," + tensor("b", "[1]", "[0,4]") + "}", data.substr(4)),
             ContainsSubstring("expected 'b' to begin at byte 4 of the data, got 0"));
  CHECK_THAT(error("{" + b + "}", data),
             ContainsSubstring("expected 'b' to begin at byte 0 of the data, got 4"));
  CHECK_THAT(error("{" + a + "}", data), ContainsSubstring("expected 4 bytes of data, got 8"));
  CHECK_THAT(error("{" + tensor("a", "[3]", "[0,8]") + "}", data),
             ContainsSubstring("expected 12 bytes for 'a' of shape [3], got 8"));
  CHECK_THAT(error("{" + tensor("a", "[2]", "[8,0]") + "}", data), ContainsSubstring("got -8"));
  CHECK_THAT(error("{" + tensor("a", "[-2]", "[0,8]") + "}", data),
             ContainsSubstring("expected whole numbers as 'shape' of 'a'"));
  CHECK_THAT(error("{" + tensor("a", "[2.0]", "[0,8]") + "}", data), ContainsSubstring("'shape'"));
  CHECK_THAT(error("{" + tensor("a", "[4294967296,4294967296]", "[0,8]") + "}", data),
             ContainsSubstring("2^48"));
  CHECK_THAT(error("{" + tensor("a", "[1,1,1,1,1,1,2]", "[0,8]") + "}", data),
             ContainsSubstring("at most 6 extents"));
  CHECK_THAT(error("{" + tensor("a", "[2]", "[0,4,8]") + "}", data),
             ContainsSubstring("expected two data_offsets of 'a', got 3"));
  CHECK_THAT(error("{" + a + "," + a + "}", data), ContainsSubstring("got 'a' twice"));
  CHECK_THAT(error(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})", data),
             ContainsSubstring("F32, F64, F16, BF16, U8, I32, I64 as 'dtype' of 'a'"));
  CHECK_THAT(error(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", data),
             ContainsSubstring("'dtype' of 'a'"));
  CHECK_THAT(error(R"({"a":7})", data), ContainsSubstring("'shape' of 'a'"));
  CHECK_THAT(error(R"({"__metadata__":{"seed":7}})", ""),
             ContainsSubstring("expected strings as metadata"));
  CHECK_THAT(error(R"({"a":{"shape":[[2]]}})", data), ContainsSubstring("nested deeper"));
  CHECK_THAT(error("[1]", ""), ContainsSubstring("begins with '{'"));
  CHECK_THAT(error("{\"a\"", ""), ContainsSubstring("expected a JSON object as header"));
}

TEST_CASE("a weight file that claims an endless header costs nothing") {
  const TemporaryFolder folder;
  write(folder / "w", std::string(8, '\xff') + "{}");
  CHECK_THROWS_WITH(drape::load_weights(folder / "w"),
                    ContainsSubstring("expected a safetensors header of at most 2 bytes"));
  std::string endless(1 << 21, '[');
  endless.front() = '{';
  write(folder / "w", with_length(endless, ""));
  CHECK_THROWS_WITH(drape::load_weights(folder / "w"),
                    ContainsSubstring("expected a safetensors header of at most 1048576 bytes"));
}

TEST_CASE("a weight file that is not there is named") {
  CHECK_THROWS_WITH(drape::load_weights("no/such/file"), ContainsSubstring("no/such/file"));
}

TEST_CASE("weights are assigned by name, whatever their order and type") {
  const Weights weights{{{"b", Tensor::from<double>(Shape{1}, {3.0})},
                         {"a", Tensor::from<float>(Shape{2}, {1.0f, 2.0f})}},
                        {}};
  const Tensor a = Tensor::zeros(Shape{2}, DType::f64), b = Tensor::zeros(Shape{1});
  drape::assign_weights(weights, {{"a", a}, {"b", b}});
  CHECK(a.to_vector<double>() == std::vector{1.0, 2.0});
  CHECK(b.to_vector<float>() == std::vector{3.0f});
}

TEST_CASE("weights that do not fit are refused before any is assigned") {
  const Tensor a = Tensor::zeros(Shape{2}), b = Tensor::zeros(Shape{1});
  const drape::NamedTensors targets{{"a", a}, {"b", b}};
  const Tensor two = Tensor::full(Shape{2}, 1.0), one = Tensor::full(Shape{1}, 1.0);
  CHECK_THROWS_WITH(drape::assign_weights({{{"a", two}}, {}}, targets),
                    "weights: expected a tensor 'b', got none");
  CHECK_THROWS_WITH(drape::assign_weights({{{"a", two}, {"b", two}}, {}}, targets),
                    "weights: expected 'b' of shape [1], got [2]");
  CHECK_THROWS_WITH(drape::assign_weights({{{"a", two}, {"b", one}, {"c", one}}, {}}, targets),
                    "weights: expected no tensor 'c', got one");
  CHECK(a.to_vector<float>() == std::vector{0.0f, 0.0f});
}

TEST_CASE("a file that Python's safetensors wrote is read, whatever the type of its elements") {
  const Weights file = drape::load_weights(drape::tests::golden_folder() / "types.safetensors");
  std::map<std::string, Tensor> tensors(file.tensors.begin(), file.tensors.end());
  CHECK(file.metadata.at("made_by") == "safetensors");
  CHECK(tensors.at("F32").shape() == Shape{2, 2});
  CHECK(tensors.at("F32").to_vector<float>() == std::vector{0.1f, -2.5f, 1e-38f, 3e38f});
  CHECK(tensors.at("F64").to_vector<double>() == std::vector{0.1, -1e300, 5e-324});
  CHECK(tensors.at("U8").to_vector<std::uint8_t>() == std::vector<std::uint8_t>{0, 7, 255});
  const std::vector<std::int32_t> extremes{-2147483647 - 1, -1, 2147483647};
  CHECK(tensors.at("I32").to_vector<std::int32_t>() == extremes);
  CHECK(tensors.at("I64").to_vector<std::int32_t>() == extremes);
  CHECK(tensors.at("scalar").shape() == Shape{});
  CHECK(tensors.at("nothing").shape() == Shape{0, 3});
  // Beside the narrow ones lies what Python makes of them.
  for (const char* narrow : {"F16", "BF16"}) {
    const std::vector<float> loaded = tensors.at(narrow).to_vector<float>();
    CHECK(loaded.size() > 10);
    CHECK(std::isnan(loaded.back()));
    CHECK(std::vector(loaded.begin(), loaded.end() - 1) ==
          tensors.at(std::string(narrow) + " as F32").to_vector<float>());
  }
}

TEST_CASE("a 64-bit number that 32 bits do not hold is refused by the tensor's name") {
  const TemporaryFolder folder;
  const auto write_number = [&](std::int64_t number) {
    std::string data(8, '\0');
    std::memcpy(data.data(), &number, 8);
    write(folder / "w",
          with_length(R"({"count":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})", data));
  };
  write_number(std::int64_t{1} << 31);
  CHECK_THAT(drape::tests::error_of([&] { drape::load_weights(folder / "w"); }),
             ContainsSubstring("'count': expected whole numbers of 32 bits, got 2147483648"));
  write_number((std::int64_t{1} << 31) - 1);
  CHECK(drape::load_weights(folder / "w").tensors[0].second.to_vector<std::int32_t>() ==
        std::vector{2147483647});
}

TEST_CASE("whole numbers are not assigned to real ones") {
  const Tensor real = Tensor::zeros(Shape{1}), whole = Tensor::zeros(Shape{1}, DType::i32);
  CHECK_THROWS_WITH(drape::assign_weights({{{"a", whole}}, {}}, {{"a", real}}),
                    "weights: expected 'a' of type f32, got i32");
  CHECK_NOTHROW(drape::assign_weights({{{"a", whole}}, {}}, {{"a", whole.clone()}}));
}

TEST_CASE("elements of every type are written and read back, bf16 as f32") {
  const TemporaryFolder folder;
  for (const DType type : {DType::f32, DType::f64, DType::bf16, DType::u8, DType::i32}) {
    drape::save_weights(folder / "w", {{{"a", Tensor::full(Shape{3}, 17.0, type)}}, {}});
    const Tensor back = drape::load_weights(folder / "w").tensors.at(0).second;
    CHECK(back.dtype() == drape::accumulator(type));
    CHECK(back.shape() == Shape{3});
    if (drape::is_real(type))
      CHECK(back.to(DType::f64).to_vector<double>() == std::vector(3, 17.0));
    if (type == DType::u8)
      CHECK(back.to_vector<std::uint8_t>() == std::vector<std::uint8_t>(3, 17));
    if (type == DType::i32) CHECK(back.to_vector<std::int32_t>() == std::vector(3, 17));
  }
}

TEST_CASE("what could not be read back is not written") {
  const TemporaryFolder folder;
  const Tensor one = Tensor::zeros(Shape{1});
  CHECK_THROWS_WITH(drape::save_weights(folder / "w", {{{"a", one}, {"b", Tensor()}}, {}}),
                    "weights: expected 'b' with elements, got an empty tensor");
  CHECK_THROWS_WITH(
      drape::save_weights(folder / "w", {{{"a", one}}, {{"note", std::string(2 << 20, 'x')}}}),
      ContainsSubstring("expected names and metadata of at most 1048576 bytes"));
  CHECK_FALSE(fs::exists(folder / "w"));
  CHECK_THROWS_WITH(drape::save_weights(folder / "w", {{{"a", one}, {"a", one}}, {}}),
                    "weights: expected each name once, got 'a' twice");
}
