#include "kernels/graph.h"

#include <exception>
#include <utility>

#include "kernels/cuda.cuh"
#include "kernels/graph_memory.cuh"

namespace drape::kernels {
namespace {

thread_local std::vector<std::string>* noted = nullptr;

// While one lives, names of work of this thread are noted there.
class Notes {
 public:
  explicit Notes(std::vector<std::string>& names) { noted = &names; }
  ~Notes() { noted = nullptr; }
  Notes(const Notes&) = delete;
  Notes& operator=(const Notes&) = delete;
};

// While one lives, the tag's stream records instead of doing what it is asked.
class Capture {
 public:
  explicit Capture(Cuda cuda) : cuda_(cuda) {
    // Relaxed: whoever takes a block that nobody used before may ask the device for it.
    check_cuda(cudaStreamBeginCapture(cuda.stream, cudaStreamCaptureModeRelaxed),
               "cudaStreamBeginCapture");
  }
  ~Capture() {
    cudaGraph_t unfinished = nullptr;
    if (!ended_ && cudaStreamEndCapture(cuda_.stream, &unfinished) == cudaSuccess)
      cudaGraphDestroy(unfinished);
    cudaGetLastError();  // so that the next launch is not blamed for this one
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  cudaGraph_t end() {
    ended_ = true;
    cudaGraph_t graph = nullptr;
    check_cuda(cudaStreamEndCapture(cuda_.stream, &graph), "cudaStreamEndCapture");
    return graph;
  }

 private:
  Cuda cuda_;
  bool ended_ = false;
};

}  // namespace

class Graph {
 public:
  Graph(Cuda cuda, const std::function<void()>& work) {
    {
      Capture capture(cuda);
      const GraphMemory::InUse in_use(memory_);
      const Notes notes(content_.names);
      work();
      graph_ = capture.end();
    }
    if (memory_.blocks_in_use() != 0) {
      cudaGraphDestroy(graph_);
      throw Error("graph: expected work that keeps no block of memory, got " +
                  std::to_string(memory_.blocks_in_use()) + " that it keeps");
    }
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph_, 0);
    if (status != cudaSuccess) cudaGraphDestroy(graph_);
    check_cuda(status, "cudaGraphInstantiate");
    count_kernels();
  }
  ~Graph() {
    cudaDeviceSynchronize();  // it may be at work in the memory that is given back here
    cudaGraphExecDestroy(executable_);
    cudaGraphDestroy(graph_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void launch(Cuda cuda) const {
    check_cuda(cudaGraphLaunch(executable_, cuda.stream), "cudaGraphLaunch");
  }
  const GraphContent& content() const { return content_; }

 private:
  void count_kernels() {
    std::size_t count = 0;
    check_cuda(cudaGraphGetNodes(graph_, nullptr, &count), "cudaGraphGetNodes");
    std::vector<cudaGraphNode_t> nodes(count);
    check_cuda(cudaGraphGetNodes(graph_, nodes.data(), &count), "cudaGraphGetNodes");
    for (const cudaGraphNode_t node : nodes) {
      cudaGraphNodeType type{};
      check_cuda(cudaGraphNodeGetType(node, &type), "cudaGraphNodeGetType");
      content_.kernels += type == cudaGraphNodeTypeKernel ? 1 : 0;
    }
  }

  GraphMemory memory_;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
  GraphContent content_;
};

std::shared_ptr<const Graph> record_graph(Cuda cuda, const std::function<void()>& work) {
  return std::make_shared<const Graph>(cuda, work);
}

void launch_graph(Cuda cuda, const Graph& graph) {
  graph.launch(cuda);
}

const GraphContent& content_of(Cuda, const Graph& graph) {
  return graph.content();
}

void note_work(const char* name) {
  if (noted != nullptr) noted->emplace_back(name);
}

void Repeated::record(Cuda cuda, const std::function<void()>& work) {
  try {
    graph_ = record_graph(cuda, work);
    content_ = content_of(cuda, *graph_);
  } catch (const std::exception& error) {
    problem_ = error.what();
  }
}

}  // namespace drape::kernels
