// Element types of the safetensors format, and what becomes of them here.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/tensor.h"

namespace drape {

/// A type as the format calls it, its bytes there, and the type that it is loaded as. F16 and BF16
/// widen to f32, which holds each of their values; I64 narrows to i32 where all values fit.
struct StoredType {
  std::string_view name;
  std::int64_t bytes;
  DType loaded;
};

/// All that are read: F32, F64, F16, BF16, U8, I32, I64.
std::span<const StoredType> stored_types();

/// The tensor of these little-endian elements, on the CPU. Error: an I64 that is no i32.
Tensor load_elements(const StoredType& type, const Shape& shape, std::string_view bytes);

}  // namespace drape
