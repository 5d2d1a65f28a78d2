#include "tests/emulator/graph.h"

#include <cuda_runtime_api.h>

#include <memory>
#include <utility>
#include <vector>

#include "tests/emulator/at_work.h"

using namespace drape::emulator;

struct CUgraphNode_st {
  Work kind;
  std::function<void()> work;
};
struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
  bool spoilt = false;
  const void* stream = nullptr;
};
struct CUgraphExec_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};

namespace {

std::unique_ptr<CUgraph_st>& recorded() {
  static std::unique_ptr<CUgraph_st> graph;
  return graph;
}

}  // namespace

namespace drape::emulator {

bool recording() {
  return recorded() != nullptr;
}

bool recording_on(const void* stream) {
  return recording() && recorded()->stream == stream;
}

void add_to_recording(Work kind, std::function<void()> work) {
  const AtWork at_work;
  recorded()->nodes.push_back(
      std::make_shared<CUgraphNode_st>(CUgraphNode_st{kind, std::move(work)}));
}

void spoil_recording() {
  recorded()->spoilt = true;
}

}  // namespace drape::emulator

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (recording()) return cudaErrorIllegalState;
  recorded() = std::make_unique<CUgraph_st>();
  recorded()->stream = stream;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!recording()) return cudaErrorIllegalState;
  std::unique_ptr<CUgraph_st> done = std::move(recorded());
  if (done->spoilt) return cudaErrorStreamCaptureInvalidated;
  *graph = done.release();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new CUgraphExec_st{graph->nodes};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  const AtWork at_work;
  for (const auto& node : executable->nodes) node->work();
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  for (std::size_t i = 0; nodes != nullptr && i < graph->nodes.size() && i < *count; ++i)
    nodes[i] = graph->nodes[i].get();
  *count = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  *type = node->kind == Work::kernel   ? cudaGraphNodeTypeKernel
          : node->kind == Work::memset ? cudaGraphNodeTypeMemset
                                       : cudaGraphNodeTypeMemcpy;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

}  // extern "C"
