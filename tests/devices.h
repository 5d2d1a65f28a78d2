// The devices that tests can run on.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"

namespace drape::tests {

/// Whether the device is the emulator: right, and slow.
#if defined(DRAPE_EMULATED)
inline constexpr bool kEmulated = true;
#else
inline constexpr bool kEmulated = false;
#endif

/// Why CUDA could not be used here when this was first asked, or "": a device that breaks later
/// fails tests and skips none.
inline const std::string& no_cuda() {
  static const std::string reason = [] {
    try {
      Tensor::zeros({1}, DType::f32, Device::cuda);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  }();
  return reason;
}

/// The CPU and, where it works, CUDA.
inline std::vector<Device> devices() {
  return no_cuda().empty() ? std::vector{Device::cpu, Device::cuda} : std::vector{Device::cpu};
}

}  // namespace drape::tests
