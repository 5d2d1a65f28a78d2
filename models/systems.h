// The eight systems of the study: their names, what they are, and the numbers published for them.
#pragma once

#include <span>
#include <string_view>

namespace drape {

/// The study's Beta(alpha, alpha) of MixUp, where it mixes.
inline constexpr double kStudiedMixup = 1.0;

/// One row of the study.
struct System {
  std::string_view name;      // on the command line: "standard_mixup"
  std::string_view title;     // in reports: "Standard CNN with MixUp"
  std::string_view base;      // the same architecture without MixUp: "standard"
  double mixup_alpha;         // MixUp's Beta(alpha, alpha); 0: no mixing
  double published_accuracy;  // best validation accuracy, a fraction
  int published_epoch;        // the epoch it was reached at
};

/// All eight, in the order of the study's table.
std::span<const System> systems();

/// The row of that name; nullptr if the study has none.
const System* studied(std::string_view name);

/// The row of that name. Error listing the names if there is none.
const System& find_system(std::string_view name);

}  // namespace drape
