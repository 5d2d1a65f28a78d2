// Activations that kernels apply on the way out.
#pragma once

namespace drape {

/// none: y = z. relu: y = max(z, 0), with derivative 0 at z = 0.
enum class Activation { none, relu };

}  // namespace drape
