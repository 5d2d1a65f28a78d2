// Tensor: a handle to contiguous elements, and the history that gradients flow back through.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/shape.h"
#include "kernels/backend.h"
#include "kernels/bfloat16.h"
#include "kernels/memory.h"
#include "kernels/trace.h"

namespace drape {

/// Element types. Ops compute in f32 and f64, and on CUDA in bf16; u8 holds images and labels as
/// stored, i32 holds indices.
enum class DType { f32, f64, bf16, u8, i32 };

std::string_view name(DType dtype);
std::string_view name(Device device);

/// Whether elements are real numbers, not counts.
constexpr bool is_real(DType dtype) {
  return dtype != DType::u8 && dtype != DType::i32;
}

/// Bytes of one element.
constexpr std::int64_t size_of(DType dtype) {
  return dtype == DType::u8 ? 1 : dtype == DType::bf16 ? 2 : dtype == DType::f64 ? 8 : 4;
}

/// The C++ types of elements.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, BFloat16> ||
    std::same_as<T, std::uint8_t> || std::same_as<T, std::int32_t>;

/// The DType of a C++ element type.
template <Element T>
inline constexpr DType kDTypeOf = std::same_as<T, float>          ? DType::f32
                                  : std::same_as<T, double>       ? DType::f64
                                  : std::same_as<T, BFloat16>     ? DType::bf16
                                  : std::same_as<T, std::uint8_t> ? DType::u8
                                                                  : DType::i32;

/// What elements of a type are computed in, and what is kept in it beside them: statistics, offsets
/// and targets. f32 for bf16, else the type itself.
constexpr DType accumulator(DType dtype) {
  return dtype == DType::bf16 ? DType::f32 : dtype;
}

class Backward;
class Tensor;
struct Node;  // one recorded op, or a leaf that collects a gradient; see autograd.cpp

/// Gradients of an op's inputs, in their order; an empty Tensor where none is needed.
using Grads = kernels::RecycledVector<Tensor>;

/// A handle: copies share elements and history. Elements are contiguous, the last axis fastest.
/// A default-constructed Tensor is empty: no shape, no elements.
class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;
  /// The other is empty then.
  Tensor(Tensor&& other) noexcept { swap(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor(std::move(other)).swap(*this);
    return *this;
  }
  ~Tensor() = default;

  /// New elements: undefined, zero, all equal, or copied from the host.
  static Tensor uninitialized(const Shape& shape, DType dtype = DType::f32,
                              Device device = Device::cpu);
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32,
                     Device device = Device::cpu);
  /// Error unless there are shape.size() values.
  template <Element T>
  static Tensor from(const Shape& shape, std::span<const T> values, Device device = Device::cpu);
  template <Element T>
  static Tensor from(const Shape& shape, const std::vector<T>& values) {
    return from(shape, std::span<const T>(values));
  }
  /// Elements that lie somewhere else already, of which a device's kernels may read and write all:
  /// release(), if there is one, is called when the last handle to them is gone. Error unless they
  /// begin on bounds of their own size, on CUDA of 256 bytes.
  static Tensor around(void* elements, const Shape& shape, DType dtype, Device device,
                       std::function<void()> release);
  /// Undefined elements with the shape, type and device of another tensor.
  static Tensor like(const Tensor& other) { return like(other, other.shape()); }
  static Tensor like(const Tensor& other, const Shape& shape) {
    return uninitialized(shape, other.dtype(), other.device());
  }

  bool empty() const { return storage_ == nullptr; }
  /// Whether both are handles to the same elements, which are not none.
  bool shares(const Tensor& other) const { return !empty() && storage_ == other.storage_; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Device device() const;
  std::int64_t size() const { return shape_.size(); }
  std::int64_t bytes() const { return size() * size_of(dtype_); }

  /// The elements, on device(). Error unless T is dtype()'s type. A null pointer if the tensor is
  /// empty.
  template <Element T>
  T* data() {
    return static_cast<T*>(raw(kDTypeOf<T>));
  }
  template <Element T>
  const T* data() const {
    return static_cast<const T*>(raw(kDTypeOf<T>));
  }
  /// The same whatever their type: bytes() bytes.
  void* elements();
  const void* elements() const;

  /// The same elements under another shape of equal size. Gradients flow back through it.
  Tensor reshape(const Shape& shape) const;
  /// The same elements without history.
  Tensor detach() const;
  /// A copy, without history.
  Tensor clone() const;
  /// On a device, or of a type, without history: a copy, or the same elements if they are already.
  /// Error unless both types are real ones.
  Tensor to(Device device) const;
  Tensor to(DType dtype) const;
  /// Overwrites the elements with those of a tensor of equal shape on the same device; f32, f64 and
  /// bf16 convert.
  void assign(const Tensor& source);

  /// The elements on the host.
  template <Element T>
  std::vector<T> to_vector() const;
  /// The only element. Error unless size() is 1.
  double item() const;

  /// Whether gradients flow back to or through this handle.
  bool tracked() const { return node_ != nullptr; }
  /// Makes this handle, and copies made from it, a leaf that collects dL/d(this) in grad().
  void track();
  /// The collected gradient; empty before backward() and after clear_grad(). Error if this is not a
  /// leaf.
  const Tensor& grad() const;
  void clear_grad();

 private:
  struct Storage;
  friend struct Node;
  friend Tensor record(Tensor y, std::initializer_list<Tensor> inputs, Backward backward);
  friend Tensor record_scalar(Tensor y, std::initializer_list<Tensor> inputs, const Grads& grads);
  friend void backward(const Tensor& y, const Tensor& dy);
  friend void backward(const Tensor& y);

  void* raw(DType expected) const;
  void swap(Tensor& other) noexcept {
    std::swap(storage_, other.storage_);
    std::swap(node_, other.node_);
    std::swap(shape_, other.shape_);
    std::swap(dtype_, other.dtype_);
  }

  std::shared_ptr<Storage> storage_;
  std::shared_ptr<Node> node_;
  Shape shape_{0};
  DType dtype_ = DType::f32;
};

/// From dy = dL/dy to the gradients of the inputs: any function of that form.
class Backward {
 public:
  Backward() = default;
  template <class F>
  requires std::is_invocable_r_v<Grads, F&, const Tensor&> Backward(F function)
      : function_(std::allocate_shared<F>(kernels::Recycled<F>(), std::move(function))),
        call_([](void* f, const Tensor& dy) -> Grads { return (*static_cast<F*>(f))(dy); }) {}

  explicit operator bool() const { return call_ != nullptr; }
  Grads operator()(const Tensor& dy) const { return call_(function_.get(), dy); }

 private:
  std::shared_ptr<void> function_;
  Grads (*call_)(void* function, const Tensor& dy) = nullptr;
};

/// The only door into the graph: y, computed from `inputs`, whose gradients `backward` computes.
/// Returns y with that history if any input is tracked, else y as it came, and `backward` is
/// dropped.
Tensor record(Tensor y, std::initializer_list<Tensor> inputs, Backward backward);

/// The same for a scalar y whose gradients were computed with it, those of dy = 1: where
/// backward(y) begins there is nothing left to do. For another dy they are multiplied by it.
Tensor record_scalar(Tensor y, std::initializer_list<Tensor> inputs, const Grads& grads);

/// Where dL/dx is computed: undefined elements like x's; empty if x is not tracked.
inline Tensor gradient_like(const Tensor& x) {
  return x.tracked() ? Tensor::like(x) : Tensor();
}

/// Adds dL/d(leaf) to the grad() of every leaf that y was computed from, where dL/dy = dy (default:
/// 1, for a scalar y). The history is consumed on the way: its tensors are freed and a second call
/// is an Error.
void backward(const Tensor& y, const Tensor& dy);
void backward(const Tensor& y);

/// Throws the Error of elements that dispatch() does not take, in the name of the file's stem.
[[noreturn]] void refuse_elements(const Tensor& x, const char* expected, const char* file);

/// Calls f(tag, T{}) with the kernel tag of x's device and a zero of x's element type: f32, f64 or,
/// on CUDA and unless f takes std::floating_point types alone, bf16. Profilers see it under the
/// name of the file it is called in, which is the op's.
template <class F>
void dispatch(const Tensor& x, F&& f, const char* file = __builtin_FILE()) {
  if (x.empty()) refuse_elements(x, "f32 or f64", file);
  on(x.device(), [&](auto tag) {
    const kernels::TraceRange range(tag, file);
    if (x.dtype() == DType::f32) return f(tag, float{});
    if (x.dtype() == DType::f64) return f(tag, double{});
    if constexpr (std::is_same_v<decltype(tag), Cuda>) {
      if constexpr (std::is_invocable_v<F&, Cuda, BFloat16>) {
        if (x.dtype() == DType::bf16) return f(tag, BFloat16{});
        refuse_elements(x, "f32, f64 or bf16", file);
      }
    }
    refuse_elements(x, "f32 or f64", file);
  });
}

/// Error naming `op` unless every tensor that is not empty is on x's device, those of `others` with
/// elements of x's type, those of `kept` with elements of its accumulator.
void check_together(const char* op, const Tensor& x, std::initializer_list<Tensor> others,
                    std::initializer_list<Tensor> kept = {});

/// Storages that live now, on all devices: returns to its baseline when a training step is over.
std::int64_t live_storages();

}  // namespace drape
