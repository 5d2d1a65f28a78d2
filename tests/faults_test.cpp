// Whatever call fails while a checkpoint is written or read: one clear line, the old file whole,
// nothing left behind.
#include "tests/faults.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>

#include "core/checkpoint.h"
#include "examples/program.h"
#include "optim/training_state.h"
#include "tests/allocations.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"

namespace {

namespace fs = std::filesystem;
using drape::Tensor;
using drape::TrainingState;
using drape::tests::Call;
using drape::tests::content;
using drape::tests::error_of;
using drape::tests::FailingAllocation;
using drape::tests::Fault;
using drape::tests::TemporaryFolder;

TrainingState state_of(double value) {
  TrainingState state{.identity = {{"system", "x"}},
                      .device = "cpu",
                      .shuffling = drape::Generator(7, drape::Purpose::shuffle).state(),
                      .mixing = drape::Generator(7, drape::Purpose::mixup).state(),
                      .augmenting = drape::Generator(7, drape::Purpose::augmentation).state()};
  for (const char* name : {"model.w", "best.w", "optimizer.m"})
    state.tensors.emplace_back(name, Tensor::full({1000}, value));
  return state;
}

// The value in a state that can be read whole.
double value_in(const fs::path& path) {
  return drape::load_training_state(path).tensors.at(0).second.to_vector<float>().at(0);
}

// Makes the n-th call fail, for every n until none does; returns how many did.
int fail_each(Call call, int error, const std::function<void(const std::function<void()>&)>& body,
              const std::function<void()>& work) {
  for (int n = 1;; ++n) {
    CAPTURE(n);
    bool struck = false;
    body([&] {
      const Fault fault(call, n, error);
      struct Note {
        const Fault& fault;
        bool& struck;
        ~Note() { struck = fault.struck(); }
      } const note{fault, struck};
      work();
    });
    if (!struck) return n - 1;
  }
}

}  // namespace

TEST_CASE(
    "a state whose writing fails at any call leaves the old one, and one line that says why") {
  const TemporaryFolder folder;
  const fs::path path = folder / "state";
  save_training_state(path, state_of(1.0));
  for (const auto& [call, error] :
       {std::pair(Call::open, EACCES), std::pair(Call::write, ENOSPC), std::pair(Call::fsync, EIO),
        std::pair(Call::close, EIO), std::pair(Call::rename, EROFS)}) {
    CAPTURE(std::strerror(error));
    int refused = 0;
    const int failures = fail_each(
        call, error,
        [&](const std::function<void()>& work) {
          const std::string said = error_of(work);
          refused += said.empty() ? 0 : 1;
          if (!said.empty()) CHECK_THAT(said, ContainsSubstring(std::strerror(error)));
          CHECK(folder.entries() == 1);
          CHECK((value_in(path) == 1.0 || value_in(path) == 2.0));
        },
        [&] { save_training_state(path, state_of(2.0)); });
    CHECK(failures >= 1);
    CHECK(refused >= 1);
    CHECK(value_in(path) == 2.0);
    save_training_state(path, state_of(1.0));
  }
}

// How the n-th allocation's failure ends this work, in a process of its own.
enum class Ending { untouched, refused, line, crash };
Ending end_of(const std::function<void()>& work, int n) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(STDERR_FILENO);
    for (const int signal : {SIGABRT, SIGSEGV}) std::signal(signal, SIG_DFL);  // not the tests' own
    drape::exit_when_out_of_memory();
    const FailingAllocation failing(n);
    try {
      work();
    } catch (const std::exception&) {
      ::_exit(2);
    }
    ::_exit(failing.struck() ? 3 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return Ending::crash;
  const int code = WEXITSTATUS(status);
  return code == 0   ? Ending::untouched
         : code == 1 ? Ending::line
         : code == 2 ? Ending::refused
                     : Ending::crash;
}

TEST_CASE("a state whose writing or reading runs out of memory anywhere leaves it whole") {
  const TemporaryFolder folder;
  const fs::path path = folder / "state";
  save_training_state(path, state_of(1.0));
  const auto exhaust = [&](const std::function<void()>& work) {
    int n = 1;
    for (Ending ending{}; (ending = end_of(work, n)) != Ending::untouched; ++n) {
      if (ending == Ending::crash) FAIL("crashed at allocation " << n);
      if (folder.entries() != 1) FAIL("a file was left at allocation " << n);
      if (n % 50 == 0) CHECK((value_in(path) == 1.0 || value_in(path) == 2.0));
    }
    return n - 1;
  };
  CHECK(exhaust([&] { save_training_state(path, state_of(2.0)); }) > 10);
  CHECK(value_in(path) == 2.0);
  CHECK(exhaust([&] { value_in(path); }) > 10);
  CHECK(end_of([] { std::abort(); }, 1) == Ending::crash);  // the control
}

TEST_CASE("tensors' memory that is not there is one line that says how much") {
  const Fault fault(Call::allocate, 1, ENOMEM, 1);  // and once more, after others were given back
  CHECK_THAT(error_of([] { Tensor::zeros({123'456}); }),
             ContainsSubstring("memory: expected ") && ContainsSubstring(" bytes, got none; "));
  CHECK(fault.struck());
}
