// Ctrl-C, caught once.
#pragma once

#include <atomic>

namespace drape {

/// From here on the first Ctrl-C (SIGINT) sets the flag that is returned; the second ends the
/// process at once.
const std::atomic<bool>& catch_interrupt();

/// Exit code of a program that Ctrl-C ended: 128 + SIGINT.
inline constexpr int kInterruptedExit = 130;

}  // namespace drape
