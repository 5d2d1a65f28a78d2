// The study's networks as the state_dict of one in PyTorch, such as
// tests/golden/pytorch_network.py.
#pragma once

#include "core/checkpoint.h"

namespace drape {

/// The names of PyTorch's modules, and their layouts: filters [K,C,R,S], flattened images (C,H,W).
///   ours     conv2   conv2.offset   norm2   linear2
///   theirs   convs.1   offs.1       bns.1   fc2
/// Metadata says "layout": "NCHW". Error: a tensor of another module.
Weights to_pytorch(const Weights& ours);

/// The inverse, to the same bits. What PyTorch's batch norm counts its batches with is left out.
Weights from_pytorch(const Weights& theirs);

/// Whether the metadata says so.
bool is_pytorch(const Weights& weights);

}  // namespace drape
