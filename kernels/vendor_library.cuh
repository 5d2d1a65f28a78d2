// The libraries of CUDA's vendor that kernels call, cuBLASLt and cuDNN: opened when first needed,
// so that a binary starts where they are not. The emulator's build links functions of their names.
#pragma once

#include <string>

namespace drape::kernels {

/// A shared library, open from its construction to the end of the process.
class VendorLibrary {
 public:
  /// Looks for `file` where the loader does, then in the folders that CUDNN_ROOT and CUDA_HOME
  /// name, then in the toolkit's usual one.
  explicit VendorLibrary(const std::string& file);

  /// Why it cannot be used, naming the file; "" if it can.
  const std::string& problem() const { return problem_; }

  /// Address of a function. Error if the library is not there, or has none of that name.
  void* function(const char* name) const;

 private:
  std::string file_, problem_;
  void* handle_;
};

const VendorLibrary& cublas();
const VendorLibrary& cudnn();

/// Why one of the two cannot be used; "" if both can.
std::string vendor_library_problem();

}  // namespace drape::kernels

/// Pointer to a function of a library, looked up at the first call: DRAPE_VENDOR_FUNCTION(cudnn(),
/// cudnnCreate). Error as function() has it.
#if defined(__CUDACC__)
#define DRAPE_VENDOR_FUNCTION(library, name)                                                  \
  ([] {                                                                                       \
    static const auto pointer = reinterpret_cast<decltype(&name)>((library).function(#name)); \
    return pointer;                                                                           \
  }())
#else
#define DRAPE_VENDOR_FUNCTION(library, name) (&name)
#endif
