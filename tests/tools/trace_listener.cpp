// What a profiler is to NVTX, as a library that NVTX_INJECTION64_PATH names: prints every range
// that begins.
#include <nvtx3/nvToolsExt.h>

#include <cstdint>
#include <cstdio>

namespace {

int print_range(const char* name) {
  std::printf("range %s\n", name);
  return 0;
}

}  // namespace

extern "C" int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table) {
  std::uint32_t id = NVTX_ETID_CALLBACKS;
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(get_table(id));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (!callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size)) return 0;
  *table[NVTX_CBID_CORE_RangePushA] = reinterpret_cast<NvtxFunctionPointer>(print_range);
  return 1;
}
