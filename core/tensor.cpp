#include "core/tensor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>

#include "kernels/cast.h"
#include "kernels/memory.h"

namespace drape {
namespace {

std::atomic<std::int64_t> live{0};

// Calls f(T{}) for a real element type.
template <class F>
void with_elements(DType dtype, F&& f) {
  if (dtype == DType::f32) return f(float{});
  if (dtype == DType::f64) return f(double{});
  f(BFloat16{});
}

void check_conversion(const char* op, DType from, DType to) {
  DRAPE_CHECK(from == to || (is_real(from) && is_real(to)),
              "{}: expected types that convert, f32, f64 or bf16, got {} to {}", op, name(from),
              name(to));
}

// The value as a whole number. Error: it is none, or T has no such.
template <class T>
T whole(double value) {
  using Limits = std::numeric_limits<T>;
  DRAPE_CHECK(value >= Limits::min() && value <= Limits::max() && value == std::trunc(value),
              "tensor: expected a whole number {} ... {}, got {}", Limits::min(), Limits::max(),
              value);
  return static_cast<T>(value);
}

}  // namespace

std::string_view name(DType dtype) {
  constexpr std::array<std::string_view, 5> kNames{"f32", "f64", "bf16", "u8", "i32"};
  return kNames[static_cast<std::size_t>(dtype)];
}
std::string_view name(Device device) {
  return device == Device::cpu ? "cpu" : "cuda";
}

void refuse_elements(const Tensor& x, const char* expected, const char* file) {
  const std::string op = std::filesystem::path(file).stem().string();
  DRAPE_CHECK(!x.empty(), "{}: expected a tensor with elements, got an empty one", op);
  throw Error(fmt::format("{}: expected elements of type {} on {}, got {}", op, expected,
                          name(x.device()), name(x.dtype())));
}

void check_together(const char* op, const Tensor& x, std::initializer_list<Tensor> others,
                    std::initializer_list<Tensor> kept) {
  DRAPE_CHECK(is_real(x.dtype()), "{}: expected elements of type f32, f64 or bf16, got {}", op,
              name(x.dtype()));
  const auto check = [&](const Tensor& other, DType expected) {
    DRAPE_CHECK(other.empty() || (other.device() == x.device() && other.dtype() == expected),
                "{}: expected all tensors in {} on {}, got one in {} on {}", op, name(expected),
                name(x.device()), name(other.dtype()), name(other.device()));
  };
  for (const Tensor& other : others) check(other, x.dtype());
  for (const Tensor& other : kept) check(other, accumulator(x.dtype()));
}

std::int64_t live_storages() {
  return live;
}

// Owns one block of device memory, or shares one that release() gives back.
struct Tensor::Storage {
  Storage(Device on_device, std::size_t byte_count) : device(on_device), bytes(byte_count) {
    on(device, [&](auto tag) { block = kernels::allocate(tag, bytes); });
    ++live;
  }
  Storage(Device on_device, void* elements, std::function<void()> release_elements)
      : device(on_device), block(elements), release(std::move(release_elements)) {
    ++live;
  }
  ~Storage() {
    if (release)
      release();
    else
      on(device, [&](auto tag) { kernels::release(tag, block, bytes); });
    --live;
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device device;
  std::size_t bytes = 0;
  void* block = nullptr;
  std::function<void()> release;
};

Tensor Tensor::uninitialized(const Shape& shape, DType dtype, Device device) {
  Tensor t;
  t.shape_ = shape;
  t.dtype_ = dtype;
  t.storage_ = std::allocate_shared<Storage>(kernels::Recycled<Storage>(), device,
                                             static_cast<std::size_t>(t.bytes()));
  return t;
}

Tensor Tensor::around(void* elements, const Shape& shape, DType dtype, Device device,
                      std::function<void()> release) {
  const std::size_t bounds =
      device == Device::cpu ? static_cast<std::size_t>(size_of(dtype)) : kernels::kDeviceBounds;
  DRAPE_CHECK(reinterpret_cast<std::uintptr_t>(elements) % bounds == 0,
              "tensor: expected elements on {} to begin on bounds of {} bytes, got others",
              name(device), bounds);
  Tensor t;
  t.shape_ = shape;
  t.dtype_ = dtype;
  if (!release) release = [] {};
  t.storage_ = std::make_shared<Storage>(device, elements, std::move(release));
  return t;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor t = uninitialized(shape, dtype, device);
  on(device, [&](auto tag) {
    kernels::fill_zero(tag, t.storage_->block, static_cast<std::size_t>(t.bytes()));
  });
  return t;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor t = uninitialized(shape, dtype);
  const auto fill = [&]<class T>(T element) { std::fill_n(t.data<T>(), t.size(), element); };
  if (dtype == DType::u8)
    fill(whole<std::uint8_t>(value));
  else if (dtype == DType::i32)
    fill(whole<std::int32_t>(value));
  else
    with_elements(dtype, [&]<class T>(T) { fill(T(static_cast<Accumulator<T>>(value))); });
  return t.to(device);
}

template <Element T>
Tensor Tensor::from(const Shape& shape, std::span<const T> values, Device device) {
  DRAPE_CHECK(static_cast<std::int64_t>(values.size()) == shape.size(),
              "tensor: expected {} values for shape {}, got {}", shape.size(), shape.to_string(),
              values.size());
  Tensor t = uninitialized(shape, kDTypeOf<T>, device);
  on(device, [&](auto tag) {
    kernels::copy_to_device(tag, t.storage_->block, values.data(), values.size_bytes());
  });
  return t;
}
template Tensor Tensor::from(const Shape&, std::span<const float>, Device);
template Tensor Tensor::from(const Shape&, std::span<const double>, Device);
template Tensor Tensor::from(const Shape&, std::span<const BFloat16>, Device);
template Tensor Tensor::from(const Shape&, std::span<const std::uint8_t>, Device);
template Tensor Tensor::from(const Shape&, std::span<const std::int32_t>, Device);

Device Tensor::device() const {
  DRAPE_CHECK(!empty(), "tensor: expected a tensor with elements, got an empty one");
  return storage_->device;
}

void* Tensor::elements() {
  return empty() ? nullptr : storage_->block;
}
const void* Tensor::elements() const {
  return empty() ? nullptr : storage_->block;
}

void* Tensor::raw(DType expected) const {
  if (empty()) return nullptr;
  DRAPE_CHECK(dtype_ == expected, "tensor: expected elements of type {}, got {}", name(expected),
              name(dtype_));
  return storage_->block;
}

Tensor Tensor::reshape(const Shape& shape) const {
  DRAPE_CHECK(shape.size() == size(), "reshape: expected a shape of {} elements, got {}", size(),
              shape.to_string());
  Tensor t = detach();
  t.shape_ = shape;
  return record(t, {*this},
                [from = shape_](const Tensor& dt) -> Grads { return {dt.reshape(from)}; });
}

Tensor Tensor::detach() const {
  Tensor t = *this;
  t.node_.reset();
  return t;
}

Tensor Tensor::clone() const {
  Tensor t = like(*this);
  t.assign(*this);
  return t;
}

Tensor Tensor::to(Device target) const {
  if (target == device()) return detach();
  Tensor t = uninitialized(shape_, dtype_, target);
  const auto size = static_cast<std::size_t>(bytes());
  if (target == Device::cpu) {
    on(device(),
       [&](auto tag) { kernels::copy_to_host(tag, t.storage_->block, storage_->block, size); });
  } else {
    on(target,
       [&](auto tag) { kernels::copy_to_device(tag, t.storage_->block, storage_->block, size); });
  }
  return t;
}

Tensor Tensor::to(DType target) const {
  if (target == dtype_) return detach();
  check_conversion("to", dtype_, target);
  Tensor t = uninitialized(shape_, target, device());
  t.assign(*this);
  return t;
}

void Tensor::assign(const Tensor& source) {
  DRAPE_CHECK(source.shape_ == shape_, "assign: expected a tensor of shape {}, got {}",
              shape_.to_string(), source.shape_.to_string());
  DRAPE_CHECK(device() == source.device(), "assign: expected a tensor on {}, got one on {}",
              name(device()), name(source.device()));
  check_conversion("assign", source.dtype_, dtype_);
  on(device(), [&](auto tag) {
    if (dtype_ == source.dtype_) {
      return kernels::copy(tag, storage_->block, source.storage_->block,
                           static_cast<std::size_t>(bytes()));
    }
    with_elements(source.dtype_, [&]<class From>(From) {
      with_elements(dtype_, [&]<class To>(To) {
        if constexpr (!std::is_same_v<From, To>) {
          kernels::cast(tag, source.data<From>(), data<To>(), size());
        }
      });
    });
  });
}

template <Element T>
std::vector<T> Tensor::to_vector() const {
  const Tensor host = to(Device::cpu);
  const T* values = host.data<T>();
  return std::vector<T>(values, values + size());
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<BFloat16> Tensor::to_vector() const;
template std::vector<std::uint8_t> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;

double Tensor::item() const {
  DRAPE_CHECK(!empty() && size() == 1, "item: expected a tensor of one element, got shape {}",
              shape_.to_string());
  const Tensor host = to(Device::cpu);
  if (dtype_ == DType::u8) return host.data<std::uint8_t>()[0];
  if (dtype_ == DType::i32) return host.data<std::int32_t>()[0];
  return host.to(DType::f64).data<double>()[0];
}

}  // namespace drape
