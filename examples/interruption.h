// Ctrl-C and a polite request to end, caught once.
#pragma once

#include <atomic>

namespace drape {

/// From here on the first SIGINT (Ctrl-C), SIGTERM or, unless it is ignored, SIGHUP (the terminal
/// is closed) sets the flag that is returned; a second of the same ends the process at once.
const std::atomic<bool>& catch_interrupt();

/// Exit code of a program that was ended so: 128 and the signal's number, 130 after Ctrl-C.
int interrupted_exit();

}  // namespace drape
