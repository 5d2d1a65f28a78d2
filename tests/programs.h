// Programs as a user runs them.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/data_helpers.h"
#include "tests/paths.h"

namespace drape::tests {

// What a program left: its exit code and what it printed.
struct ProgramEnd {
  int exit_code;
  std::string out, err;
};

// The path as one word of a shell.
inline std::string quoted(const std::filesystem::path& path) {
  std::string word = "'";
  for (const char c : path.string()) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

// What DRAPE_EMULATED_DEVICE tells programs: training in the emulator would take hours.
inline const char* emulated_device = "none";

// Runs a program with arguments as a shell splits them.
inline ProgramEnd run(const std::string& command,
                      const std::filesystem::path& programs = program_folder()) {
  const TemporaryFolder folder;
  const ScopedVariable device("DRAPE_EMULATED_DEVICE", emulated_device);
  const int status = std::system((quoted(programs) + "/" + command + " > " +
                                  quoted(folder / "out") + " 2> " + quoted(folder / "err"))
                                     .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content(folder / "out"),
          content(folder / "err")};
}

inline std::ptrdiff_t lines(const std::string& text) {
  return std::ranges::count(text, '\n');
}

// A process that is killed, if it still runs, at the end.
class Process {
 public:
  explicit Process(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const ScopedVariable device("DRAPE_EMULATED_DEVICE", emulated_device);
    id_ = ::fork();
    if (id_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the tests be killed
      ::signal(SIGHUP, SIG_DFL);           // which nohup ignores, and children would too
      ::close(STDERR_FILENO);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }

  void send(int signal) const { ::kill(id_, signal); }

  // The exit code once it has ended.
  int wait() {
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t id_ = 0;
};

// Options of a training run that takes a moment.
inline const std::string kSmall = " --synthetic --limit 120 --epochs 1 ";

}  // namespace drape::tests
