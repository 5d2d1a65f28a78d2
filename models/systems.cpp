#include "models/systems.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/check.h"

namespace drape {
namespace {

constexpr std::array<System, 8> kSystems{{
    {"standard", "Standard CNN", "standard", 0.0, 0.9230, 8},
    {"deep", "Deep CNN", "deep", 0.0, 0.9194, 11},
    {"dilated2", "Dilated (low) CNN", "dilated2", 0.0, 0.9191, 12},
    {"dilated10", "Dilated (high) CNN", "dilated10", 0.0, 0.9188, 14},
    {"deformable", "Deformable CNN", "deformable", 0.0, 0.9220, 13},
    {"enhanced", "Enhanced Deformable CNN", "enhanced", 0.0, 0.9220, 18},
    {"standard_mixup", "Standard CNN with MixUp", "standard", kStudiedMixup, 0.9287, 17},
    {"deformable_mixup", "Deformable CNN with MixUp", "deformable", kStudiedMixup, 0.9287, 23},
}};

}  // namespace

std::span<const System> systems() {
  return kSystems;
}

const System* studied(std::string_view name) {
  const auto found = std::ranges::find(kSystems, name, &System::name);
  return found == kSystems.end() ? nullptr : &*found;
}

const System& find_system(std::string_view name) {
  if (const System* const system = studied(name)) return *system;
  std::string names;
  for (const System& system : kSystems) {
    names += names.empty() ? "" : ", ";
    names += system.name;
  }
  throw Error(fmt::format("system: expected one of {}, got '{}'", names, name));
}

}  // namespace drape
