#include "kernels/trace.h"

#include <nvtx3/nvToolsExt.h>

#include <string>

namespace drape::kernels {

void begin_range(Cuda, const char* file) {
  const std::string path(file);
  const std::size_t begin = path.find_last_of('/') + 1;  // 0 where there is none
  nvtxRangePushA(path.substr(begin, path.find_last_of('.') - begin).c_str());
}

void end_range(Cuda) {
  nvtxRangePop();
}

}  // namespace drape::kernels
