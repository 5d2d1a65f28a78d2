#include "optim/history.h"

namespace drape {

std::string_view name(StopReason reason) {
  constexpr std::array<std::string_view, 4> kNames{"max_epochs", "early_stopping", "interrupted",
                                                   "diverged"};
  return kNames[static_cast<std::size_t>(reason)];
}

}  // namespace drape
