// From options to a network, and to the name it goes by.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "layers/module.h"
#include "models/systems.h"

namespace drape {

enum class Architecture { standard, deep, dilated, deformable, enhanced };

/// Their names in files, by the enumerators' order.
inline constexpr std::array<std::string_view, 5> kArchitectures{"standard", "deep", "dilated",
                                                                "deformable", "enhanced"};
std::string_view name(Architecture architecture);

/// What a command line and a file of weights may ask for.
inline constexpr int kMostDilation = 1000;
inline constexpr double kMostDropout = 0.99;

/// A network of the study, or a variation of one.
struct NetworkOptions {
  Architecture architecture = Architecture::standard;
  std::int64_t dilation = 2;  // dilated: of the second convolution
  double dropout = 0.3;       // enhanced: the probability to drop
};

/// The network, its parameters zero until initialize().
Sequential build_network(const NetworkOptions& options);

/// The same for a system of the study.
NetworkOptions network_of(const System& system);
Sequential build_system(const System& system);

/// The name of a system: the study's if the options are the study's. A variation shows in its name:
/// "dilated5", "enhanced_dropout0.5", "deep_mixup", "standard_mixup0.2". mixup_alpha 0: no MixUp.
std::string system_name(const NetworkOptions& options, double mixup_alpha);

}  // namespace drape
