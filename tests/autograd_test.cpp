// The engine: sums, order, depth, and one use of each history.
#include <cmath>

#include "layers/add.h"
#include "layers/relu.h"
#include "optim/sgd.h"
#include "tests/catch.h"
#include "tests/compare.h"

namespace drape::tests {
namespace {

Tensor leaf(const std::vector<double>& elements) {
  Tensor t = Tensor::from({static_cast<std::int64_t>(elements.size())}, elements);
  t.track();
  return t;
}

Tensor ones(std::int64_t size) {
  return Tensor::full({size}, 1.0, DType::f64);
}

}  // namespace

TEST_CASE("gradients add up where a tensor is used twice", "[autograd]") {
  const Tensor x = leaf({1.0, 2.0});
  backward(add(x, x), Tensor::from({2}, std::vector<double>{1.0, 10.0}));
  CHECK(values(x.grad()) == std::vector<double>{2.0, 20.0});
}

TEST_CASE("gradients add up over a diamond", "[autograd]") {
  const Tensor x = leaf({1.0, -1.0});
  const Tensor base = add(x, x);
  const Tensor left = relu(base), right = add(base, base);
  backward(add(left, right), ones(2));
  CHECK(values(x.grad()) == std::vector<double>{6.0, 4.0});
}

TEST_CASE("a gradient that two tensors share is not changed when one adds to its own",
          "[autograd]") {
  const Tensor a = leaf({1.0}), b = leaf({1.0}), dy = ones(1);
  const Tensor sum = add(a, b);
  backward(add(add(sum, a), a), dy);
  CHECK(values(a.grad()) == std::vector<double>{3.0});
  CHECK(values(b.grad()) == std::vector<double>{1.0});
  CHECK(values(dy) == std::vector<double>{1.0});
}

TEST_CASE("gradients of several backward passes add up until they are cleared", "[autograd]") {
  Tensor x = leaf({1.0});
  for (int pass = 1; pass <= 3; ++pass) {
    backward(add(x, x), ones(1));
    CHECK(x.grad().item() == 2.0 * pass);
  }
  x.clear_grad();
  CHECK(x.grad().empty());
}

TEST_CASE("a chain of 100,000 ops is walked and freed without recursion", "[autograd]") {
  const std::int64_t before = live_storages();
  {
    const Tensor x = leaf({1.0}), zero = Tensor::zeros({1}, DType::f64);
    Tensor walked = x, dropped = x;
    for (int i = 0; i < 100000; ++i) {
      walked = add(walked, zero);
      dropped = relu(dropped);
    }
    backward(walked, ones(1));
    CHECK(x.grad().item() == 1.0);
  }
  CHECK(live_storages() == before);
}

TEST_CASE("a chain of 20 doublings is walked once per op, not once per path", "[autograd]") {
  const Tensor x = leaf({1.0});
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = add(y, y);
  backward(y, ones(1));
  CHECK(x.grad().item() == 1048576.0);
}

TEST_CASE("a history serves one backward pass", "[autograd]") {
  const Tensor x = leaf({1.0});
  const Tensor y = add(x, x);
  backward(y);
  CHECK_THROWS_WITH(backward(y),
                    "backward: expected a history that was not used before, got one that was");
  CHECK(x.grad().item() == 2.0);
  const Tensor shared = add(x, x), other = relu(shared);
  backward(relu(shared));
  CHECK_THROWS_AS(backward(other), Error);
}

TEST_CASE("a leaf's gradient is its own: clipping it changes nothing else", "[autograd]") {
  Tensor a = leaf({1.0, 1.0}), b = leaf({1.0, 1.0});
  const Tensor dy = Tensor::from({2}, std::vector<double>{3.0, 4.0});
  backward(add(a, b), dy);
  Sgd optimizer({a, b});
  optimizer.clip_gradients(1.0);  // of a norm of sqrt(50)
  const std::vector<double> clipped = values(a.grad());
  CHECK(clipped[0] == Approx(3.0 / std::sqrt(50.0)));
  CHECK(values(b.grad()) == clipped);
  CHECK(values(dy) == std::vector<double>{3.0, 4.0});
}

TEST_CASE("what backward of a leaf is given stays as it is", "[autograd]") {
  const Tensor x = leaf({1.0, 2.0}), dy = ones(2);
  for (int i = 0; i < 3; ++i) backward(x, dy);
  CHECK(values(x.grad()) == std::vector<double>{3.0, 3.0});
  CHECK(values(dy) == std::vector<double>{1.0, 1.0});
}

TEST_CASE("a backward pass that fails leaves nothing behind in what others share", "[autograd]") {
  const Tensor x = leaf({1.0, 2.0});
  const Tensor shared = add(x, x);
  const Tensor failing = record(ones(2), {shared, x}, [](const Tensor& dy) -> Grads {
    return {dy, ones(3)};
  });
  CHECK_THROWS_AS(backward(failing, ones(2)), Error);
  backward(relu(shared), ones(2));
  CHECK(values(x.grad()) == std::vector<double>{2.0, 2.0});
}

TEST_CASE("gradients flow back through reshape", "[autograd]") {
  const Tensor x = leaf({1.0, -2.0});
  backward(relu(x.reshape({2, 1})), Tensor::full({2, 1}, 3.0, DType::f64));
  CHECK(values(x.grad()) == std::vector<double>{3.0, 0.0});
}

TEST_CASE("no gradient flows through detach or clone", "[autograd]") {
  const Tensor x = leaf({1.0, 2.0});
  CHECK_FALSE(x.detach().tracked());
  CHECK_FALSE(x.clone().tracked());
  backward(add(x, x.detach()), ones(2));
  CHECK(values(x.grad()) == std::vector<double>{1.0, 1.0});
}

TEST_CASE("an op without tracked inputs records nothing", "[autograd]") {
  const Tensor x = ones(2);
  CHECK_FALSE(add(x, x).tracked());
  CHECK_THROWS_WITH(backward(add(x, x), x),
                    "backward: expected a tensor with history, got one without");
}

TEST_CASE("copies of a leaf collect into one gradient, and track() makes another leaf",
          "[autograd]") {
  Tensor x = leaf({1.0});
  const Tensor copy = x;
  backward(add(x, copy));
  CHECK(copy.grad().item() == 2.0);
  x.track();
  CHECK(x.grad().empty());
  CHECK(copy.grad().item() == 2.0);
}

TEST_CASE("backward names what does not fit", "[autograd]") {
  const Tensor x = leaf({1.0, 2.0});
  CHECK_THROWS_WITH(backward(add(x, x)), "backward: expected a scalar, got shape [2]");
  CHECK_THROWS_WITH(backward(add(x, x), ones(3)),
                    "backward: expected a gradient of shape [2], got [3]");
  const Tensor y = add(x, x);
  CHECK_THROWS_WITH(backward(y, Tensor::zeros({2})),
                    "backward: expected a gradient in f64 on cpu, got one in f32 on cpu");
  CHECK_NOTHROW(backward(y, ones(2)));  // the history is still there
  const Tensor too_many = record(ones(2), {x}, [](const Tensor& dy) -> Grads { return {dy, dy}; });
  CHECK_THROWS_WITH(backward(too_many, ones(2)), "backward: expected 1 gradients, got 2");
  const Tensor wrong_shape = record(ones(2), {x}, [](const Tensor&) -> Grads { return {ones(3)}; });
  CHECK_THROWS_WITH(backward(wrong_shape, ones(2)),
                    "backward: expected a gradient of shape [2], got [3]");
  CHECK_THROWS_WITH(add(x, x).grad(), "grad: expected a tensor that track() made a leaf");
  CHECK_THROWS_WITH(ones(1).grad(), "grad: expected a tensor that track() made a leaf");
}

TEST_CASE("a history frees its tensors while backward walks it", "[autograd]") {
  const Tensor x = leaf({1.0});
  const std::int64_t before = live_storages();
  Tensor y = relu(relu(relu(x)));
  CHECK(live_storages() == before + 3);
  backward(y);
  CHECK(live_storages() == before + 2);  // y and the gradient of x
}

TEST_CASE("add and relu name what does not fit", "[autograd]") {
  CHECK_THROWS_WITH(add(ones(2), ones(3)),
                    "add: expected two tensors of one shape, got [2] and [3]");
  CHECK_THROWS_AS(add(ones(2), Tensor::zeros({2})), Error);
  CHECK_THROWS_AS(relu(Tensor::zeros({2}, DType::u8)), Error);
}

}  // namespace drape::tests
