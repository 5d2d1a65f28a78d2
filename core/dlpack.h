// Tensors of other frameworks and ours for them, without a copy: DLPack (github.com/dmlc/dlpack),
// the structure DLManagedTensor of its versions before 1.0.
#pragma once

#include "core/tensor.h"

struct DLManagedTensor;

namespace drape {

/// A view of x for another framework, which calls its deleter once it is done. Elements are shared;
/// the history is not. On CUDA our work on them is done when this returns, and theirs must be done
/// when they call the deleter: they know nothing of our stream.
DLManagedTensor* to_dlpack(const Tensor& x);

/// A tensor that shares the elements of `managed`, whose deleter is called when the last handle is
/// gone. Error, and the caller keeps `managed`, unless it has elements of a type of ours on a CPU
/// or the first CUDA device, contiguous, the last axis fastest, on bounds that Tensor::around()
/// takes. On CUDA their work on the elements must be done by then, and ours is when the deleter is
/// called.
Tensor from_dlpack(DLManagedTensor* managed);

}  // namespace drape
