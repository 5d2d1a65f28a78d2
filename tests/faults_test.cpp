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
#include <vector>

#include "core/checkpoint.h"
#include "core/file.h"
#include "examples/program.h"
#include "optim/checkpoints.h"
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

TEST_CASE("a file is on the disk before it takes its place, and so is its place afterwards") {
  const TemporaryFolder folder;
  const fs::path path = folder / "file";
  const auto error_at = [&](Call call, int n) {
    drape::write_file_atomically(path, "old");
    const Fault fault(call, n, EIO);
    return error_of([&] { drape::write_file_atomically(path, "new"); });
  };
  CHECK_THAT(error_at(Call::fsync, 1),
             ContainsSubstring("file: cannot sync '" + path.string() + "'"));
  CHECK(content(path) == "old");
  CHECK_THAT(error_at(Call::fsync, 2),
             ContainsSubstring("file: cannot sync folder '" + folder.path().string() + "'"));
  CHECK(content(path) == "new");
  CHECK(error_at(Call::fsync, 3).empty());
  CHECK_THAT(error_at(Call::rename, 1), ContainsSubstring("cannot replace"));
  CHECK(content(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("the only state that is kept stays until the next one is whole") {
  const TemporaryFolder folder;
  drape::Checkpoints checkpoints({.folder = folder.path(), .keep = 1});
  struct Warned : drape::Observer {
    void on_warning(const std::string& line) override { lines.push_back(line); }
    std::vector<std::string> lines;
  } warned;
  checkpoints.write(1, state_of(1.0), warned);
  for (const Call call : {Call::open, Call::write, Call::fsync, Call::close, Call::rename}) {
    const Fault fault(call, 1, ENOSPC);
    checkpoints.write(2, state_of(2.0), warned);
    CHECK(fault.struck());
    REQUIRE(folder.entries() == 1);
    CHECK(value_in(fs::directory_iterator(folder.path())->path()) == 1.0);
  }
  CHECK(warned.lines.size() == 5);
  checkpoints.write(2, state_of(2.0), warned);  // the control
  REQUIRE(folder.entries() == 1);
  CHECK(value_in(fs::directory_iterator(folder.path())->path()) == 2.0);
}

TEST_CASE(
    "a state whose writing fails at any call leaves the old one, and one line that says why") {
  const TemporaryFolder folder;
  const fs::path path = folder / "state";
  save_training_state(path, state_of(1.0));
  struct Case {
    Call call;
    int error, calls;  // so many of them, each of which may fail
  };
  for (const Case& fault :
       {Case{Call::open, EACCES, 2}, Case{Call::write, ENOSPC, 1}, Case{Call::fsync, EIO, 2},
        Case{Call::close, EIO, 2}, Case{Call::rename, EROFS, 1}}) {
    CAPTURE(std::strerror(fault.error));
    int refused = 0;
    const int failures = fail_each(
        fault.call, fault.error,
        [&](const std::function<void()>& work) {
          const std::string said = error_of(work);
          refused += said.empty() ? 0 : 1;
          if (!said.empty()) CHECK_THAT(said, ContainsSubstring(std::strerror(fault.error)));
          CHECK(folder.entries() == 1);
          CHECK((value_in(path) == 1.0 || value_in(path) == 2.0));
        },
        [&] { save_training_state(path, state_of(2.0)); });
    CHECK(failures == fault.calls);
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
