// What bench_kernels times: every op of the tests' op table that has a real size, forward and
// backward, and what training does besides.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/reference.h"
#include "kernels/backend.h"

namespace drape::bench {

/// Something that can be called again and again on inputs of its own.
class Work {
 public:
  virtual ~Work() = default;

  /// Prepares what the next call(0) ... call(calls - 1) consume; not timed.
  virtual void ready(int /*calls*/) {}
  virtual void call(int index) = 0;

  /// What a call must at least move: every input, output and gradient once.
  double bytes = 0.0;
};

/// A line of the table.
struct Row {
  std::string name;  // "conv2d, relu/backward/n64_c32_k64_14x14"
  double flop;       // multiplications and additions; backward: twice forward's
  std::function<std::unique_ptr<Work>()> work;
  std::function<double()> error;  // of the result, in units of what is tolerated
};

/// All rows, in f32 on a device; those of the op table with so many examples at most, and then so
/// called: "conv2d, relu/backward/8 of n64_c32_k64_14x14".
std::vector<Row> rows(Device device, std::int64_t most_examples = 1 << 30);

/// Forward and backward of one op at one size.
std::vector<Row> rows_of(const tests::Op& op, const tests::RealSize& size, Device device);

}  // namespace drape::bench
