// Where numbers stopped being numbers.
#pragma once

#include <string>

#include "layers/module.h"

namespace drape {

/// The name of the first tensor of the model's state that holds a NaN or an infinity; empty if none
/// does.
std::string first_not_finite(Module& model);

/// The first layer, as "the output of conv2", whose output for x in a training pass holds a NaN or
/// an infinity; empty if none does or the model is no Sequential. Running statistics change.
std::string first_not_finite_output(Module& model, const Tensor& x, std::uint64_t seed);

}  // namespace drape
