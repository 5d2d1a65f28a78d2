#include "core/stored_elements.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace drape {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are stored little-endian");

constexpr std::array<StoredType, 7> kStoredTypes{{{"F32", 4, DType::f32},
                                                  {"F64", 8, DType::f64},
                                                  {"F16", 2, DType::f32},
                                                  {"BF16", 2, DType::f32},
                                                  {"U8", 1, DType::u8},
                                                  {"I32", 4, DType::i32},
                                                  {"I64", 8, DType::i32}}};

// IEEE 754 binary16: a sign, 5 bits of exponent with a bias of 15, 10 bits of fraction.
struct Half {
  std::uint16_t bits;
};

float converted(Half half) {
  const int exponent = half.bits >> 10 & 31, fraction = half.bits & 1023;
  float magnitude = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  if (exponent == 0) magnitude = std::ldexp(static_cast<float>(fraction), -24);
  if (exponent == 31) {
    using Limits = std::numeric_limits<float>;
    magnitude = fraction == 0 ? Limits::infinity() : Limits::quiet_NaN();
  }
  return half.bits >> 15 != 0 ? -magnitude : magnitude;
}

float converted(BFloat16 value) {
  return value;
}

std::int32_t converted(std::int64_t value) {
  DRAPE_CHECK(std::in_range<std::int32_t>(value), "expected whole numbers of 32 bits, got {}",
              value);
  return static_cast<std::int32_t>(value);
}

template <class Stored, class T>
void load(std::string_view bytes, T* to) {
  for (; !bytes.empty(); bytes.remove_prefix(sizeof(Stored))) {
    Stored value;
    std::memcpy(&value, bytes.data(), sizeof(Stored));
    if constexpr (std::is_same_v<Stored, T>)
      *to++ = value;
    else
      *to++ = converted(value);
  }
}

}  // namespace

std::span<const StoredType> stored_types() {
  return kStoredTypes;
}

Tensor load_elements(const StoredType& type, const Shape& shape, std::string_view bytes) {
  Tensor tensor = Tensor::uninitialized(shape, type.loaded);
  if (type.name == "F16") {
    load<Half>(bytes, tensor.data<float>());
  } else if (type.name == "BF16") {
    load<BFloat16>(bytes, tensor.data<float>());
  } else if (type.loaded == DType::f32) {
    load<float>(bytes, tensor.data<float>());
  } else if (type.loaded == DType::f64) {
    load<double>(bytes, tensor.data<double>());
  } else if (type.loaded == DType::u8) {
    load<std::uint8_t>(bytes, tensor.data<std::uint8_t>());
  } else if (type.name == "I32") {
    load<std::int32_t>(bytes, tensor.data<std::int32_t>());
  } else {
    load<std::int64_t>(bytes, tensor.data<std::int32_t>());
  }
  return tensor;
}

}  // namespace drape
