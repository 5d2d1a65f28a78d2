#include "models/build.h"

#include <algorithm>
#include <array>

#include "core/check.h"
#include "models/deep.h"
#include "models/deformable.h"
#include "models/dilated.h"
#include "models/enhanced.h"
#include "models/standard.h"

namespace drape {
namespace {

constexpr std::array<NetworkOptions, 6> kStudied{{
    {.architecture = Architecture::standard},
    {.architecture = Architecture::deep},
    {.architecture = Architecture::dilated, .dilation = 2},
    {.architecture = Architecture::dilated, .dilation = 10},
    {.architecture = Architecture::deformable},
    {.architecture = Architecture::enhanced},
}};

std::string network_name(const NetworkOptions& options) {
  std::string text(name(options.architecture));
  if (options.architecture == Architecture::dilated) text += fmt::format("{}", options.dilation);
  if (options.architecture == Architecture::enhanced && options.dropout != NetworkOptions().dropout)
    text += fmt::format("_dropout{}", options.dropout);
  return text;
}

}  // namespace

std::string_view name(Architecture architecture) {
  return kArchitectures.at(static_cast<std::size_t>(architecture));
}

Sequential build_network(const NetworkOptions& options) {
  switch (options.architecture) {
    case Architecture::standard:
      return standard_cnn();
    case Architecture::deep:
      return deep_cnn();
    case Architecture::dilated:
      return dilated_cnn(options.dilation);
    case Architecture::deformable:
      return deformable_cnn();
    case Architecture::enhanced:
      return enhanced_cnn(options.dropout);
  }
  throw Error("network: expected a known architecture");
}

NetworkOptions network_of(const System& system) {
  const auto is_base = [&](const NetworkOptions& options) {
    return network_name(options) == system.base;
  };
  const auto found = std::ranges::find_if(kStudied, is_base);
  DRAPE_CHECK(found != kStudied.end(), "network: expected a system of the study, got '{}'",
              system.name);
  return *found;
}

Sequential build_system(const System& system) {
  return build_network(network_of(system));
}

std::string system_name(const NetworkOptions& options, double mixup_alpha) {
  const std::string name = network_name(options);
  if (mixup_alpha == 0.0) return name;
  if (mixup_alpha == kStudiedMixup) return name + "_mixup";
  return fmt::format("{}_mixup{}", name, mixup_alpha);
}

}  // namespace drape
