// Reverse-mode differentiation over the recorded graph. Nodes carry a creation number, and an op is
// always created after its inputs, so taking nodes by descending number is a reverse topological
// order: no recursion.
#include <algorithm>
#include <atomic>
#include <queue>
#include <utility>

#include "core/tensor.h"
#include "kernels/add.h"
#include "kernels/losses.h"

namespace drape {
namespace {

using NodePointer = std::shared_ptr<Node>;  // null where an input is not tracked
using NodePointers = kernels::RecycledVector<NodePointer>;

}  // namespace

struct Node {
  explicit Node(const Tensor& y) : shape(y.shape()), dtype(y.dtype()), device(y.device()) {}
  ~Node();

  // Adds a gradient to the sum of those that arrived. The sum is taken in place once it is the
  // engine's own, which a leaf's is from the first on: whoever clips it changes nothing else.
  void receive(const Tensor& dy);

  std::uint64_t number = next_number++;
  const Shape shape;
  const DType dtype;
  const Device device;
  NodePointers inputs;
  Backward backward;  // empty in leaves, and after it ran
  bool leaf = false;
  bool scalar = false;         // recorded by record_scalar(): takes an empty dy for 1
  bool owns_gradient = false;  // nobody else holds gradient's elements
  Tensor gradient;

  static inline std::atomic<std::uint64_t> next_number{0};
};

namespace {

NodePointer make_node(const Tensor& y) {
  return std::allocate_shared<Node>(kernels::Recycled<Node>(), y);
}

}  // namespace

// Releases a long history without recursing through it: inputs that die with this node are handed
// to a list that the outermost destructor empties.
Node::~Node() {
  thread_local NodePointers* dying = nullptr;
  if (dying != nullptr) {
    std::ranges::move(inputs, std::back_inserter(*dying));
    return;
  }
  NodePointers list = std::move(inputs);
  dying = &list;
  backward = {};
  while (!list.empty()) {
    const NodePointer last = std::move(list.back());
    list.pop_back();
  }
  dying = nullptr;
}

void Node::receive(const Tensor& dy) {
  DRAPE_CHECK(dy.shape() == shape, "backward: expected a gradient of shape {}, got {}",
              shape.to_string(), dy.shape().to_string());
  DRAPE_CHECK(dy.dtype() == dtype && dy.device() == device,
              "backward: expected a gradient in {} on {}, got one in {} on {}", name(dtype),
              name(device), name(dy.dtype()), name(dy.device()));
  if (gradient.empty()) {
    gradient = leaf && dy.storage_.use_count() > 1 ? dy.clone() : dy.detach();
    owns_gradient = leaf;
    return;
  }
  Tensor sum = owns_gradient ? gradient : Tensor::like(gradient);
  dispatch(gradient, [&]<class T>(auto tag, T) {
    kernels::add(tag, gradient.data<T>(), dy.data<T>(), sum.data<T>(), sum.size());
  });
  gradient = sum;
  owns_gradient = true;
}

void Tensor::track() {
  DRAPE_CHECK(!empty(), "track: expected a tensor with elements, got an empty one");
  node_ = make_node(*this);
  node_->leaf = true;
}

const Tensor& Tensor::grad() const {
  DRAPE_CHECK(tracked() && node_->leaf, "grad: expected a tensor that track() made a leaf");
  return node_->gradient;
}

void Tensor::clear_grad() {
  DRAPE_CHECK(tracked() && node_->leaf, "clear_grad: expected a tensor that track() made a leaf");
  node_->gradient = Tensor();
}

Tensor record(Tensor y, std::initializer_list<Tensor> inputs, Backward backward) {
  if (std::ranges::none_of(inputs, [](const Tensor& input) { return input.tracked(); })) return y;
  NodePointer node = make_node(y);
  node->inputs.reserve(inputs.size());
  for (const Tensor& input : inputs) node->inputs.push_back(input.node_);
  node->backward = std::move(backward);
  y.node_ = std::move(node);
  return y;
}

Tensor record_scalar(Tensor y, std::initializer_list<Tensor> inputs, const Grads& grads) {
  y = record(std::move(y), inputs, [grads](const Tensor& dy) -> Grads {
    if (dy.empty()) return grads;
    Grads scaled;
    for (const Tensor& grad : grads) {
      Tensor& product = scaled.emplace_back(grad.empty() ? Tensor() : Tensor::like(grad));
      if (grad.empty()) continue;
      dispatch(grad, [&]<class T>(auto tag, T) {
        kernels::scale(tag, grad.data<T>(), dy.data<Accumulator<T>>(), product.data<T>(),
                       grad.size());
      });
    }
    return scaled;
  });
  if (y.tracked()) y.node_->scalar = true;
  return y;
}

namespace {

constexpr auto kOlder = [](const NodePointer& a, const NodePointer& b) {
  return a->number < b->number;
};
// Nodes whose gradient has arrived, if they need one, the newest on top.
using Ready = std::priority_queue<NodePointer, NodePointers, decltype(kOlder)>;

void walk_to_leaves(Ready& ready) {
  while (!ready.empty()) {
    const NodePointer node = ready.top();
    ready.pop();
    if (node->leaf) continue;
    const Tensor gradient = std::exchange(node->gradient, Tensor());
    DRAPE_CHECK(node->backward,
                "backward: expected a history that was not used before, got one that was");
    const Grads grads = std::exchange(node->backward, {})(gradient);
    const auto inputs = std::exchange(node->inputs, {});
    DRAPE_CHECK(grads.size() == inputs.size(), "backward: expected {} gradients, got {}",
                inputs.size(), grads.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] == nullptr || grads[i].empty()) continue;
      const bool first = inputs[i]->gradient.empty();
      inputs[i]->receive(grads[i]);
      if (first) ready.push(inputs[i]);
    }
  }
}

// The same from a node, named for profilers. Where it fails, gradients that were on their way are
// gone: another walk through their nodes begins anew.
void walk(const NodePointer& from, Device device) {
  Ready ready(kOlder);
  ready.push(from);
  try {
    on(device, [&](auto tag) {
      const kernels::TraceRange range(tag, "backward");
      walk_to_leaves(ready);
    });
  } catch (...) {
    for (; !ready.empty(); ready.pop())
      if (!ready.top()->leaf) ready.top()->gradient = Tensor();
    throw;
  }
}

}  // namespace

void backward(const Tensor& y, const Tensor& dy) {
  DRAPE_CHECK(y.tracked(), "backward: expected a tensor with history, got one without");
  const Tensor held = dy;  // of a leaf the caller's own, which is not summed into
  y.node_->receive(held);
  walk(y.node_, y.device());
}

void backward(const Tensor& y) {
  DRAPE_CHECK(y.size() == 1, "backward: expected a scalar, got shape {}", y.shape().to_string());
  if (y.tracked() && y.node_->scalar) return walk(y.node_, y.device());
  backward(y, Tensor::full(y.shape(), 1.0, y.dtype(), y.device()));
}

}  // namespace drape
