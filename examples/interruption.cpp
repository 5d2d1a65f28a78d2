#include "examples/interruption.h"

#include <csignal>

namespace drape {
namespace {

std::atomic<bool> interrupted{false};
std::atomic<int> last_signal{SIGINT};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may set them");

}  // namespace

const std::atomic<bool>& catch_interrupt() {
  struct sigaction action = {};
  action.sa_handler = [](int signal) {
    last_signal = signal;
    interrupted = true;
  };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before = {};
  sigaction(SIGHUP, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);  // nohup stays
  return interrupted;
}

int interrupted_exit() {
  return 128 + last_signal;
}

}  // namespace drape
