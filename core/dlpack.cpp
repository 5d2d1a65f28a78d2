#include "core/dlpack.h"

#include <dlpack/dlpack.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace drape {
namespace {

struct Type {
  DType dtype;
  DLDataTypeCode code;
  std::uint8_t bits;
};
constexpr std::array<Type, 5> kTypes{{{DType::f32, kDLFloat, 32},
                                      {DType::f64, kDLFloat, 64},
                                      {DType::bf16, kDLBfloat, 16},
                                      {DType::u8, kDLUInt, 8},
                                      {DType::i32, kDLInt, 32}}};

// What a view of ours holds on to.
struct View {
  Tensor tensor;
  std::vector<std::int64_t> extents;
  DLManagedTensor managed;
};

DType dtype_of(const DLDataType& type) {
  for (const Type& known : kTypes) {
    if (type.code == known.code && type.bits == known.bits && type.lanes == 1) return known.dtype;
  }
  throw Error(
      fmt::format("dlpack: expected elements of type f32, f64, bf16, u8 or i32, got code {} "
                  "of {} bits in {} lanes",
                  type.code, type.bits, type.lanes));
}

Device device_of(const DLDevice& device) {
  if (device.device_type == kDLCPU) return Device::cpu;
  DRAPE_CHECK(kCudaBuilt && device.device_type == kDLCUDA && device.device_id == 0,
              "dlpack: expected elements on a CPU{}, got device type {}, number {}",
              kCudaBuilt ? " or the first CUDA device" : "", static_cast<int>(device.device_type),
              device.device_id);
  return Device::cuda;
}

// Strides count where there is more than one place to go.
bool is_contiguous(const DLTensor& tensor, const Shape& shape) {
  if (tensor.strides == nullptr || shape.size() == 0) return true;
  std::int64_t expected = 1;
  for (int axis = tensor.ndim - 1; axis >= 0; --axis) {
    if (tensor.shape[axis] != 1 && tensor.strides[axis] != expected) return false;
    expected *= tensor.shape[axis];
  }
  return true;
}

}  // namespace

DLManagedTensor* to_dlpack(const Tensor& x) {
  DRAPE_CHECK(!x.empty(), "dlpack: expected a tensor with elements, got an empty one");
  on(x.device(), [](auto tag) { kernels::synchronize(tag); });
  auto view = std::make_unique<View>();
  view->tensor = x.detach();
  view->extents.assign(x.shape().extents().begin(), x.shape().extents().end());
  DLTensor& tensor = view->managed.dl_tensor;
  tensor.data = view->tensor.elements();
  tensor.device = {x.device() == Device::cpu ? kDLCPU : kDLCUDA, 0};
  tensor.ndim = x.shape().rank();
  for (const Type& type : kTypes) {
    if (type.dtype == x.dtype())
      tensor.dtype = {static_cast<std::uint8_t>(type.code), type.bits, 1};
  }
  tensor.shape = view->extents.data();
  tensor.strides = nullptr;
  tensor.byte_offset = 0;
  view->managed.manager_ctx = view.get();
  view->managed.deleter = [](DLManagedTensor* managed) {
    delete static_cast<View*>(managed->manager_ctx);
  };
  return &view.release()->managed;
}

Tensor from_dlpack(DLManagedTensor* managed) {
  DRAPE_CHECK(managed != nullptr, "dlpack: expected a tensor, got none");
  const DLTensor& tensor = managed->dl_tensor;
  const DType dtype = dtype_of(tensor.dtype);
  const Device device = device_of(tensor.device);
  DRAPE_CHECK(tensor.ndim >= 0 && (tensor.ndim == 0 || tensor.shape != nullptr),
              "dlpack: expected extents, got none");
  const Shape shape(
      std::span<const std::int64_t>(tensor.shape, static_cast<std::size_t>(tensor.ndim)));
  DRAPE_CHECK(is_contiguous(tensor, shape),
              "dlpack: expected contiguous elements, the last axis fastest, got strides");
  DRAPE_CHECK(tensor.data != nullptr || shape.size() == 0, "dlpack: expected elements, got none");
  char* const elements = static_cast<char*>(tensor.data) + tensor.byte_offset;
  return Tensor::around(elements, shape, dtype, device, [managed, device] {
    try {
      on(device, [](auto tag) { kernels::synchronize(tag); });
    } catch (const Error&) {  // a lost device: whoever asks it next is told
    }
    if (managed->deleter != nullptr) managed->deleter(managed);
  });
}

}  // namespace drape
