// Whatever call fails while a checkpoint is written or read: one clear line, the old file whole,
// nothing left behind.
#include "tests/faults.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <new>
#include <string>

#include "core/checkpoint.h"
#include "core/file.h"
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
                      .mixing = drape::Generator(7, drape::Purpose::mixup).state()};
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

TEST_CASE("a state whose writing or reading runs out of memory anywhere leaves it whole") {
  const TemporaryFolder folder;
  const fs::path path = folder / "state";
  save_training_state(path, state_of(1.0));
  const auto exhaust = [&](const std::function<void()>& work) {
    for (int n = 1; n < 100'000; ++n) {
      bool failed = false;
      const FailingAllocation failing(n);
      try {
        work();
      } catch (const std::bad_alloc&) {
        failed = true;
      } catch (const drape::Error&) {
        failed = true;
      }
      if (!failing.struck()) return n - 1;
      CHECK(failed);
    }
    return 0;
  };
  CHECK(exhaust([&] { save_training_state(path, state_of(2.0)); }) > 10);
  CHECK(folder.entries() == 1);
  CHECK(value_in(path) == 2.0);
  CHECK(exhaust([&] { value_in(path); }) > 10);
}

TEST_CASE("tensors' memory that is not there is one line that says how much") {
  const Fault fault(Call::allocate, 1, ENOMEM, 1);  // and once more, after others were given back
  CHECK_THAT(error_of([] { Tensor::zeros({123'456}); }),
             ContainsSubstring("expected 493824 bytes"));
  CHECK(fault.struck());
}
