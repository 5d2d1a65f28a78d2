#include "bench/work.h"

#include <algorithm>
#include <concepts>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "core/random.h"
#include "data/batches.h"
#include "kernels/adam_step.h"
#include "layers/losses.h"
#include "tests/compare.h"

namespace drape::bench {
namespace {

using tests::Op;
using tests::RealSize;

std::vector<Tensor> inputs_on(Device device, const Op& op, const RealSize& size) {
  std::vector<Tensor> inputs = draw_real(op, size);
  for (Tensor& input : inputs) input = input.to(device);
  return inputs;
}

double bytes_of(const std::vector<Tensor>& tensors) {
  double bytes = 0.0;
  for (const Tensor& tensor : tensors) bytes += static_cast<double>(tensor.bytes());
  return bytes;
}

class Forward : public Work {
 public:
  Forward(const Op& op, const RealSize& size, Device device)
      : op_(op), inputs_(inputs_on(device, op, size)), y_(op.function(inputs_)) {
    bytes = bytes_of(inputs_) + bytes_of({y_});
  }

  void call(int) override { y_ = op_.function(inputs_); }

 private:
  const Op op_;
  const std::vector<Tensor> inputs_;
  Tensor y_;
};

// A call consumes a history of its own.
class Backward : public Work {
 public:
  Backward(const Op& op, const RealSize& size, Device device)
      : op_(op), inputs_(inputs_on(device, op, size)) {
    for (Tensor& input : inputs_) input.track();
    const Tensor y = op.function(inputs_);
    dy_ = noise(y.shape(), {.seed = 2, .id = 0}, y.dtype()).to(device);
    bytes = 2.0 * (bytes_of(inputs_) + bytes_of({y}));
  }

  void ready(int calls) override {
    ys_.clear();
    for (int i = 0; i < calls; ++i) ys_.push_back(op_.function(inputs_));
  }

  void call(int index) override {
    backward(ys_[static_cast<std::size_t>(index)], dy_);
    for (Tensor& input : inputs_) input.clear_grad();
  }

 private:
  const Op op_;
  std::vector<Tensor> inputs_, ys_;
  Tensor dy_;
};

// The losses with targets that are there already.
Op loss_op(const std::string& name, Tensor (*loss)(const Tensor&, const Tensor&, const Scores&),
           Device device, const Shape& shape) {
  const Tensor targets = Tensor::full(shape, 0.1, DType::f64),
               there = targets.to(DType::f32).to(device);
  return {name,
          {{shape}},
          [=](std::span<const Tensor> in) {
            return loss(in[0], in[0].dtype() == DType::f64 ? targets : there, {});
          },
          {{shape.to_string(), {shape}, 5.0 * static_cast<double>(shape.size())}}};
}

// One step of Adam on as many weights as `standard` has.
struct AdamState {
  AdamState(DType dtype, Device device) : steps(Tensor::full({1}, 9.0, DType::f64, device)) {
    const Shape shape{421'642};
    for (std::uint64_t i = 0; i < 2; ++i)
      tensors.push_back(noise(shape, {.seed = 4, .id = i}, dtype).to(device));
    for (const double value : {0.1, 0.5})
      tensors.push_back(Tensor::full(shape, value, dtype, device));
  }

  void step() {
    dispatch(tensors[0], [&]<std::floating_point T>(auto tag, T) {
      const kernels::AdamTensor<T> one{tensors[0].data<T>(), tensors[1].data<T>(),
                                       tensors[2].data<T>(), tensors[3].data<T>(),
                                       tensors[0].size(),    steps.data<double>()};
      kernels::adam_step(tag, std::span(&one, 1), AdamOptions{}, {.rate = 1e-3});
    });
  }

  std::vector<Tensor> tensors;  // w, g, m, v
  Tensor steps;
};

class AdamWork : public Work {
 public:
  explicit AdamWork(Device device) : state_(DType::f32, device) {
    bytes = 7.0 * bytes_of({state_.tensors[0]});  // reads four, writes three
  }
  void call(int) override { state_.step(); }

 private:
  AdamState state_;
};

double adam_error(Device device) {
  AdamState exact(DType::f64, Device::cpu), rounded(DType::f32, device);
  exact.step();
  rounded.step();
  double error = 0.0;
  for (std::size_t i = 0; i < exact.tensors.size(); ++i)
    error = std::max(error, error_of(exact.tensors[i], rounded.tensors[i].to(Device::cpu), device));
  return error;
}

// A batch of Fashion-MNIST's size out of 6,000 stored images, mixed.
struct Stored {
  static constexpr std::int64_t kImages = 6'000, kPixels = 28 * 28, kBatch = 64, kClasses = 10;

  explicit Stored(Device device) {
    std::vector<std::uint8_t> pixels(kImages * kPixels), classes(kImages);
    const RandomStream stream{.seed = 5, .id = 0};
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = static_cast<std::uint8_t>(stream.word(i / 4) >> (8 * (i % 4)));
    for (std::size_t i = 0; i < classes.size(); ++i)
      classes[i] = static_cast<std::uint8_t>(i % kClasses);
    images = Tensor::from({kImages, 28, 28, 1}, pixels).to(device);
    labels = Tensor::from({kImages}, classes).to(device);
    indices = permutation({.seed = 5, .id = 1}, kImages);
    indices.resize(kBatch);
    mix = {.lambda = 0.3, .order = permutation({.seed = 5, .id = 2}, kBatch)};
  }

  Batch gather(DType dtype) const {
    return gather_batch(images, labels, indices, kClasses, mix, dtype);
  }

  Tensor images, labels;
  std::vector<std::int32_t> indices;
  Mix mix;
};

class GatherWork : public Work {
 public:
  explicit GatherWork(Device device) : stored_(device) {
    bytes = Stored::kBatch * Stored::kPixels * (2.0 + 4.0);  // two images of bytes, one of floats
  }
  void call(int) override { batch_ = stored_.gather(DType::f32); }

 private:
  Stored stored_;
  Batch batch_;
};

double gather_error(Device device) {
  const Batch exact = Stored(Device::cpu).gather(DType::f64);
  const Batch rounded = Stored(device).gather(DType::f32);
  return std::max(error_of(exact.x, rounded.x.to(Device::cpu), device),
                  error_of(exact.targets, rounded.targets.to(Device::cpu), device));
}

// The size with so many examples at most.
RealSize cut(const Op& op, RealSize size, std::int64_t most) {
  const std::int64_t all = size.shapes[0][0];
  if (all <= most) return size;
  for (std::size_t i = 0; i < size.shapes.size(); ++i) {
    if (op.inputs[i].first_axis != tests::FirstAxis::batch) continue;
    std::vector<std::int64_t> extents(size.shapes[i].extents().begin(),
                                      size.shapes[i].extents().end());
    extents.front() = most;
    size.shapes[i] = Shape(extents);
  }
  size.label = fmt::format("{} of {}", most, size.label);
  size.flop *= static_cast<double>(most) / static_cast<double>(all);
  return size;
}

void append(std::vector<Row>& all, std::vector<Row> more) {
  std::ranges::move(more, std::back_inserter(all));
}

}  // namespace

std::vector<Row> rows_of(const Op& op, const RealSize& size, Device device) {
  // Checked once, when either row asks.
  const auto errors = std::make_shared<std::optional<OpErrors>>();
  const auto checked = [=] {
    if (!*errors) *errors = errors_of(op, size, device);
    return **errors;
  };
  return {{op.name + "/forward/" + size.label, size.flop,
           [=] { return std::make_unique<Forward>(op, size, device); },
           [=] { return checked().forward; }},
          {op.name + "/backward/" + size.label, 2.0 * size.flop,
           [=] { return std::make_unique<Backward>(op, size, device); },
           [=] { return checked().backward; }}};
}

std::vector<Row> rows(Device device, std::int64_t most_examples) {
  std::vector<Row> all;
  for (const Op& op : tests::op_table()) {
    for (const RealSize& size : op.real_sizes)
      append(all, rows_of(op, cut(op, size, most_examples), device));
  }
  for (const std::int64_t batch : {64, 4096}) {
    for (const Op& op :
         {loss_op("softmax_cross_entropy", softmax_cross_entropy, device, {batch, 10}),
          loss_op("bce_with_logits", bce_with_logits, device, {batch, 10})}) {
      append(all, rows_of(op, op.real_sizes[0], device));
    }
  }
  append(all,
         {{"adam_step/[421642]", 14.0 * 421'642, [=] { return std::make_unique<AdamWork>(device); },
           [=] { return adam_error(device); }},
          {"gather_batch, mixed/n64_28x28", 4.0 * Stored::kBatch * Stored::kPixels,
           [=] { return std::make_unique<GatherWork>(device); },
           [=] { return gather_error(device); }}});
  return all;
}

}  // namespace drape::bench
