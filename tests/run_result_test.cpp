// The files of a run: written whole or not at all, read back as they were, refused when damaged.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/file.h"
#include "examples/machine.h"
#include "examples/run_result.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/paths.h"
#include "tests/report_helpers.h"
#include "tests/skip.h"

namespace {

using namespace drape;
using namespace drape::tests;

void write_text(const std::filesystem::path& path, std::string_view text) {
  write_bytes(path, bytes(text));
}

// Lets files of this process grow to so many bytes only, which is how a full disk looks to it.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t most) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    signal_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{most, old_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, signal_);
  }

 private:
  rlimit old_{};
  void (*signal_)(int) = SIG_DFL;
};

}  // namespace

TEST_CASE("an atomic write replaces the file and leaves nothing else") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old and longer");
  write_file_atomically(folder / "a", std::string_view("new\0!", 5));
  CHECK(read_file(folder / "a", 100) == std::string("new\0!", 5));
  CHECK(folder.entries() == 1);
}

TEST_CASE("an atomic write goes where a link leads, and through a pipe") {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("b", folder / "a");
  for (const char* text : {"first", "second"}) {  // a link to nothing, and to a file
    write_file_atomically(folder / "a", text);
    CHECK(std::filesystem::is_symlink(folder / "a"));
    CHECK(read_file(folder / "b", 100) == text);
  }
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::string seen;
  {
    const std::jthread reader([&] { seen = read_file(folder / "pipe", 100); });
    write_file_atomically(folder / "pipe", "through");
  }
  CHECK(seen == "through");
  CHECK(std::filesystem::is_fifo(folder / "pipe"));
}

TEST_CASE("a folder is locked for one at a time") {
  const TemporaryFolder folder;
  {
    const FolderLock lock(folder.path());
    CHECK_THAT(error_of([&] { const FolderLock another(folder.path()); }),
               ContainsSubstring("expected a folder that no other process works in, got"));
  }
  CHECK_NOTHROW(FolderLock(folder.path()));
  CHECK_THAT(error_of([&] { const FolderLock none(folder / "none"); }),
             ContainsSubstring("No such file"));
}

TEST_CASE("a failed atomic write leaves the old file and says why") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old");
  SECTION("the disk is full") {
    const std::string big(100'000, 'x');
    std::string message;
    {
      const FileSizeLimit limit(1000);
      message = error_of([&] { write_file_atomically(folder / "a", big); });
    }
    CHECK_THAT(message, ContainsSubstring("cannot write") && ContainsSubstring("File too large"));
    write_file_atomically(folder / "b", big);  // the control: without the limit it fits
    CHECK(read_file(folder / "b", big.size()) == big);
    std::filesystem::remove(folder / "b");
  }
  SECTION("the folder is missing") {
    const std::string message =
        error_of([&] { write_file_atomically(folder / "missing/a", "new"); });
    CHECK_THAT(message,
               ContainsSubstring("missing/a") && ContainsSubstring("No such file or directory"));
  }
  SECTION("the folder is a file") {
    CHECK_THAT(error_of([&] { write_file_atomically(folder / "a/b", "new"); }),
               ContainsSubstring("Not a directory"));
  }
  SECTION("the target is a folder") {
    std::filesystem::create_directory(folder / "target");
    CHECK_THAT(error_of([&] { write_file_atomically(folder / "target", "new"); }),
               ContainsSubstring("cannot open") && ContainsSubstring("Is a directory"));
    std::filesystem::remove(folder / "target");
  }
  CHECK(read_file(folder / "a", 100) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("reading a file stops at its limit") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "12345");
  CHECK(read_file(folder / "a", 5) == "12345");
  CHECK_THAT(error_of([&] { read_file(folder / "a", 4); }), ContainsSubstring("at most 4 bytes"));
  CHECK_THAT(error_of([&] { read_file(folder / "b", 4); }), ContainsSubstring("No such file"));
}

TEST_CASE("reading a file takes no more memory than the file") {
  const TemporaryFolder folder;
  const std::string big(600'000, 'x');
  write_file_atomically(folder / "a", big);
  for (const std::size_t limit : {big.size(), 10 * big.size()}) {
    const std::string content = read_file(folder / "a", limit);
    CHECK(content == big);
    CHECK(content.capacity() < big.size() + 1000);  // doubling on the way would end at 1 MiB
  }
}

TEST_CASE("a file that does not tell its size is read whole, up to the limit") {
  const TemporaryFolder folder;
  const std::string big(200'000, 'x');
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const std::jthread writer([&] { std::ofstream(folder / "pipe") << big; });
  const std::string content = read_file(folder / "pipe", big.size());
  CHECK(content == big);

  const char* status = "/proc/self/status";  // a regular file of size 0, as stat has it
  if (!std::filesystem::exists(status)) return;
  CHECK(read_file(status, 1 << 20).starts_with("Name:"));
  CHECK_THAT(error_of([&] { read_file(status, 4); }), ContainsSubstring("at most 4 bytes"));
}

TEST_CASE("a run reads back as it was written") {
  const TemporaryFolder folder;
  RunResult run = run_of("deformable_mixup", std::numeric_limits<std::uint64_t>::max(), 0.9287,
                         GENERATE("held_out", "published"));
  run.stop_reason = "a \"quoted\", comma'd\nreason with \xc3\xa9";
  run.synthetic = true;
  run.comparable = false;
  write_run(run, folder / "runs/a");
  CHECK(read_run(folder / "runs/a") == run);
  run.confusion.clear();
  write_run(run, folder / "runs/a");
  CHECK(read_run(folder / "runs/a") == run);
}

TEST_CASE("build_commit() is a commit of the checkout, and none outside of one", "[repository]") {
  if (const std::string why = no_repository(); !why.empty()) return skip(why);
  const auto git = [](const std::string& command) {
    const std::string folder = (source_folder() / ".git").string();
    return std::system(("git --git-dir='" + folder + "' " + command + " 2> /dev/null").c_str()) ==
           0;
  };
  const std::string commit = build_commit();
  CHECK(git("cat-file -e HEAD") == !commit.empty());
  if (!commit.empty()) CHECK(git("cat-file -e '" + commit + "^{commit}'"));
}

TEST_CASE("result.json has the promised keys") {
  const auto json = result_json(run_of("standard", 0, 0.9));
  std::set<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.insert(key);
  CHECK(keys == std::set<std::string>{"system",
                                      "protocol",
                                      "seed",
                                      "device",
                                      "precision",
                                      "commit",
                                      "epochs_run",
                                      "best_epoch",
                                      "best_validation_accuracy",
                                      "test_accuracy",
                                      "parameters",
                                      "multiply_adds_per_image",
                                      "seconds_per_epoch",
                                      "images_per_second",
                                      "peak_memory_bytes",
                                      "stop_reason",
                                      "synthetic",
                                      "comparable",
                                      "training_images",
                                      "options",
                                      "confusion"});
  CHECK(json.at("test_accuracy").is_null());
  CHECK(result_json(run_of("standard", 0, 0.9, "held_out")).at("test_accuracy").is_number());
}

TEST_CASE("a result.json with a wrong field is refused by name") {
  const TemporaryFolder folder;
  write_run(run_of("standard", 0, 0.9), folder.path());
  const std::string good = read_file(folder / "result.json", 1 << 20);
  const auto message_with = [&](const std::string& key, const nlohmann::json& value) {
    auto json = nlohmann::json::parse(good);
    json[key] = value;
    write_text(folder / "result.json", json.dump());
    return error_of([&] { read_run(folder.path()); });
  };
  CHECK(message_with("seed", 7).empty());  // the control: this change is fine
  const std::vector<std::pair<std::string, nlohmann::json>> wrong = {
      {"system", ""},
      {"system", 3},
      {"protocol", "both"},
      {"seed", -1},
      {"seed", 1.5},
      {"device", ""},
      {"precision", ""},
      {"commit", nullptr},
      {"epochs_run", 4294967301},
      {"epochs_run", 6},
      {"best_epoch", 0},
      {"best_epoch", 6},
      {"best_validation_accuracy", 92.3},
      {"test_accuracy", "0.9"},
      {"test_accuracy", -0.1},
      {"parameters", -1},
      {"seconds_per_epoch", nullptr},
      {"synthetic", 1},
      {"confusion", {{1, 2}}},
      {"confusion", {{-1}}},
      {"confusion", 3},
      {"confusion", {{0.5}}},
      {"peak_memory_bytes", 1e30},
  };
  for (const auto& [key, value] : wrong) {
    CAPTURE(key, value.dump());
    CHECK_THAT(message_with(key, value), ContainsSubstring(folder.path().string()));
  }
  auto json = nlohmann::json::parse(good);
  for (const auto& item : json.items()) {
    auto without = json;
    without.erase(item.key());
    write_text(folder / "result.json", without.dump());
    if (item.key() == "training_images" || item.key() == "options") {  // which others write, too
      CHECK_NOTHROW(read_run(folder.path()));
      continue;
    }
    CHECK_THAT(error_of([&] { read_run(folder.path()); }),
               ContainsSubstring("result.json") && ContainsSubstring("'" + item.key() + "'"));
  }
}

TEST_CASE("every truncation of a run's files is refused") {
  const TemporaryFolder folder;
  const std::string file = GENERATE("result.json", "history.csv");
  write_run(run_of("standard", 0, 0.9), folder.path());
  const std::string good = read_file(folder / file, 1 << 20);
  const std::size_t last = file == "result.json" ? good.size() - 1 : good.size();  // JSON: but "\n"
  for (std::size_t size = 0; size < last; ++size) {
    write_text(folder / file, good.substr(0, size));
    CHECK_THAT(error_of([&] { read_run(folder.path()); }),
               ContainsSubstring(folder.path().string()));
  }
}

TEST_CASE("a run that was killed between its two files is read up to what both have") {
  const TemporaryFolder folder;
  const RunResult run = run_of("standard", 0, 0.9);
  write_run(run, folder.path());
  const std::string history = read_file(folder / "history.csv", 1 << 20);
  write_text(folder / "history.csv", history + "6,1,1,1,1,1,1\n");
  CHECK(read_run(folder.path()).history == run.history);
}

TEST_CASE("a history.csv with a wrong line is refused") {
  const TemporaryFolder folder;
  write_run(run_of("standard", 0, 0.9), folder.path());
  const std::string good = read_file(folder / "history.csv", 1 << 20);
  const std::string header = good.substr(0, good.find('\n') + 1);
  const std::vector<std::string> wrong = {"",
                                          header,
                                          good + "6,1,1,1,1,1\n",
                                          good + "6,1,1,1,1,1,1,1\n",
                                          "x" + good,
                                          header + "1,1,1,1,1,x,1\n",
                                          header + "1,nan,1,1,1,1,1\n",
                                          header + "1,1,1,1,1,2,1\n",
                                          header + "2,1,1,1,1,1,1\n"};
  for (const std::string& content : wrong) {
    CAPTURE(content);
    write_text(folder / "history.csv", content);
    CHECK_FALSE(error_of([&] { read_run(folder.path()); }).empty());
  }
  write_text(folder / "history.csv", good);
  CHECK_NOTHROW(read_run(folder.path()));
}
