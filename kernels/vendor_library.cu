#include "kernels/vendor_library.cuh"

#include <cublasLt.h>
#include <cudnn.h>
#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>

#include "kernels/error.h"

namespace drape::kernels {
namespace {

// Opens the file in the first of the usual folders that has it; null if none has.
void* open_in_usual_folders(const std::string& file) {
  const char* const roots[] = {std::getenv("CUDNN_ROOT"), std::getenv("CUDA_HOME"),
                               "/usr/local/cuda"};
  for (const char* root : roots) {
    if (root == nullptr) continue;
    for (const char* folder : {"/lib64/", "/lib/"}) {
      const std::string path = root + std::string(folder) + file;
      if (::access(path.c_str(), R_OK) == 0) return ::dlopen(path.c_str(), RTLD_NOW);
    }
  }
  return nullptr;
}

}  // namespace

VendorLibrary::VendorLibrary(const std::string& file)
    : file_(file), handle_(::dlopen(file.c_str(), RTLD_NOW)) {
  if (handle_ != nullptr) return;
  std::string reason = ::dlerror();
  handle_ = open_in_usual_folders(file);
  if (handle_ != nullptr) return;
  if (const char* const later = ::dlerror()) reason = later;  // of a file that is there
  problem_ = file + " cannot be opened (" + reason + ")";
}

void* VendorLibrary::function(const char* name) const {
  if (handle_ == nullptr) throw Error(std::string(name) + ": " + problem_);
  if (void* const address = ::dlsym(handle_, name)) return address;
  throw Error(std::string(name) + ": expected a function of " + file_ + ", got none of that name");
}

const VendorLibrary& cublas() {
  static const VendorLibrary library("libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR));
  return library;
}

const VendorLibrary& cudnn() {
  static const VendorLibrary library("libcudnn.so." + std::to_string(CUDNN_MAJOR));
  return library;
}

std::string vendor_library_problem() {
#if defined(__CUDACC__)
  return cublas().problem().empty() ? cudnn().problem() : cublas().problem();
#else
  return "";  // the emulator's functions are linked
#endif
}

}  // namespace drape::kernels
