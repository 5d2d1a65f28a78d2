// A value in the memory of a device.
#pragma once

#include <type_traits>

#include "core/tensor.h"
#include "kernels/memory.h"

namespace drape {

/// One T where kernels can read and change it; the host copies it as a whole.
template <class T>
class Placed {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit Placed(Device device, const T& value = {})
      : memory_(Tensor::uninitialized({sizeof(T)}, DType::u8, device)) {
    write(value);
  }

  /// Where it lies, on the device.
  T* address() { return static_cast<T*>(memory_.elements()); }

  /// What it is once all that was asked of the device before is done.
  T read() const {
    T value;
    on(memory_.device(),
       [&](auto tag) { kernels::copy_to_host(tag, &value, memory_.elements(), sizeof(T)); });
    return value;
  }
  void write(const T& value) {
    on(memory_.device(),
       [&](auto tag) { kernels::copy_to_device(tag, memory_.elements(), &value, sizeof(T)); });
  }

 private:
  Tensor memory_;
};

}  // namespace drape
