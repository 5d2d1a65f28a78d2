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

/// Why CUDA cannot be used here, or "".
inline std::string no_cuda() {
  try {
    Tensor::zeros({1}, DType::f32, Device::cuda);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

/// The CPU and, where it works, CUDA.
inline std::vector<Device> devices() {
  static const bool cuda = no_cuda().empty();
  return cuda ? std::vector{Device::cpu, Device::cuda} : std::vector{Device::cpu};
}

}  // namespace drape::tests
