// Whether what is timed is right: f32 at a real size against f64 on the CPU.
#pragma once

#include <vector>

#include "tests/op_table.h"

namespace drape::bench {

/// The inputs of an op at a real size, f32 on the CPU, the same on every call.
std::vector<Tensor> draw_real(const tests::Op& op, const tests::RealSize& size);

/// The largest error of y and of the gradients, in units of what is tolerated.
struct OpErrors {
  double forward = 0.0, backward = 0.0;
};

/// Runs the op at the size as it is timed. Where the f64 loops would take too long for all of it,
/// they compute some examples and filters: y is compared there, and dy is zero elsewhere, so that
/// the gradients of all inputs follow from that part.
OpErrors errors_of(const tests::Op& op, const tests::RealSize& size, Device device);

/// The largest difference of two tensors on the CPU, in units of what is tolerated of results of
/// the device: 2e-5 of the largest element. (A sum of thousands of floats is off by some 1e-6 of
/// it, Winograd's F(4x4, 3x3) by a few times as much: Lavin & Gray 2016, arXiv:1509.09308, section
/// 5.) Of products of factors in TF32, with 2^-11 of error each: 5e-3.
double error_of(const Tensor& exact, const Tensor& rounded, Device device);

}  // namespace drape::bench
