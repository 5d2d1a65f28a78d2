// What the repository promises about its own sources, read from the source tree. Each rule is also
// shown a planted violation that it must catch.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "models/systems.h"
#include "tests/catch.h"
#include "tests/paths.h"
#include "tests/skip.h"

namespace {

namespace fs = std::filesystem;
using drape::tests::no_repository;
using drape::tests::skip;

struct Source {
  std::string path;  // from the root: "kernels/error.h"
  std::string text;
};

using Sources = std::vector<Source>;
using Findings = std::vector<std::string>;  // "kernels/error.h:12: what is wrong"

bool is_one_of(std::string_view word, std::string_view words) {
  return (' ' + std::string(words) + ' ').find(' ' + std::string(word) + ' ') != std::string::npos;
}

bool is_code(const Source& source) {
  return is_one_of(fs::path(source.path).extension().string(), ".h .cpp .cu .cuh");
}

/// Every text file of the checkout; what .gitignore names and hidden folders (but CI's) are left
/// out.
Sources repository() {
  const fs::path root = drape::tests::source_folder();
  Sources sources;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::end(it); ++it) {
    const std::string name = it->path().filename().string();
    if (it->is_directory()) {
      const bool hidden = name.starts_with('.') && name != ".ci";
      if (hidden || name.starts_with("build") || is_one_of(name, "out __pycache__")) {
        it.disable_recursion_pending();
      }
      continue;
    }
    if (name == ".git") continue;  // a worktree's: a file with a path in it
    const std::string extension = it->path().extension().string();
    if (extension.empty() ||
        is_one_of(extension, ".h .cpp .cu .cuh .py .sh .md .txt .cmake .json")) {
      std::ifstream file(it->path(), std::ios::binary);
      sources.push_back({it->path().lexically_relative(root).generic_string(),
                         {std::istreambuf_iterator<char>(file), {}}});
    }
  }
  return sources;
}

/// Calls rule(line), which says what is wrong with it or "", for every line.
template <class Rule>
Findings check_lines(const Source& source, Rule rule) {
  Findings findings;
  int number = 0;
  for (std::string_view rest = source.text; !rest.empty();) {
    const std::size_t length = std::min(rest.find('\n'), rest.size());
    ++number;
    const std::string wrong = rule(rest.substr(0, length));
    if (!wrong.empty()) {
      findings.push_back(source.path + ':' + std::to_string(number) + ": " + wrong);
    }
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  return findings;
}

/// All findings of one rule over the sources for which `applies` holds.
template <class Applies, class Rule>
Findings check(const Sources& sources, Applies applies, Rule rule) {
  Findings all;
  for (const Source& source : sources) {
    if (!applies(source)) continue;
    const Findings findings =
        check_lines(source, [&](std::string_view line) { return rule(source, line); });
    all.insert(all.end(), findings.begin(), findings.end());
  }
  return all;
}

std::string without_spaces(std::string_view line) {
  std::string text(line);
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
  return text;
}

/// Dependencies point only down: kernels <- core <- layers <- models, and so on.
Findings wrong_includes(const Sources& sources) {
  const std::map<std::string, std::string_view> may_include = {
      {"kernels", "kernels"},
      {"core", "core kernels"},
      {"layers", "layers core kernels"},
      {"models", "models layers core kernels"},
      {"data", "data core kernels"},
      {"optim", "optim data models layers core kernels"},
      {"examples", "examples optim data models layers core kernels"},
      {"tests", "tests examples optim data models layers core kernels"},
      {"bench", "bench tests examples optim data models layers core kernels"},
  };
  return check(sources, is_code, [&](const Source& source, std::string_view line) -> std::string {
    const std::string code = without_spaces(line);
    const std::string_view directive = "#include\"";
    if (!code.starts_with(directive)) return "";
    const std::string from = source.path.substr(0, source.path.find('/'));
    const std::string included = code.substr(directive.size());
    const std::size_t slash = included.find('/');
    if (slash == std::string::npos) return "include is not rooted at the repository: " + code;
    if (source.path == "kernels/cuda.cuh" && included.starts_with("tests/emulator/")) return "";
    const auto allowed = may_include.find(from);
    if (allowed == may_include.end() || is_one_of(included.substr(0, slash), allowed->second)) {
      return "";
    }
    return from + " must not use " + included.substr(0, slash) + ": " + code;
  });
}

/// A source includes its own header first: so the header is seen to compile alone.
Findings late_headers(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    if (!source.path.ends_with(".cpp")) continue;
    const std::string header = source.path.substr(0, source.path.size() - 3) + "h";
    const bool has_header =
        std::ranges::any_of(sources, [&](const Source& other) { return other.path == header; });
    const std::string first = "#include \"" + header + "\"\n";
    if (has_header && source.text.find("#include") != source.text.find(first))
      findings.push_back(source.path + " does not begin with " + header);
  }
  return findings;
}

/// Where the preprocessor asks whether CUDA is there.
Findings cuda_conditions(const Sources& sources) {
  return check(sources, is_code, [](const Source&, std::string_view line) -> std::string {
    const std::string code = without_spaces(line);
    const bool condition = code.starts_with("#if") || code.starts_with("#elif");
    return condition && code.find("DRAPE_CUDA") != std::string::npos ? "asks for CUDA" : "";
  });
}

/// Is `folder` ("/usr") named in the line as an absolute path, and not as a part of another path?
bool names_folder(std::string_view line, std::string_view folder) {
  const auto is_part_of_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("_-.~}*/").find(c) != std::string_view::npos;
  };
  for (std::size_t at = line.find(folder); at != std::string_view::npos;
       at = line.find(folder, at + 1)) {
    const std::size_t end = at + folder.size();
    const bool starts = at == 0 || !is_part_of_name(line[at - 1]);
    if (starts && (end == line.size() || line[end] == '/' || !is_part_of_name(line[end]))) {
      return true;
    }
  }
  return false;
}

/// Unfinished work, dead code, and paths that exist on one machine only. Spelled in two halves, so
/// that this file passes.
Findings leftovers(const Sources& sources) {
  const auto everywhere = [](const Source&) { return true; };
  return check(sources, everywhere, [](const Source&, std::string_view line) -> std::string {
    for (const char* word : {"TO"
                             "DO",
                             "FIX"
                             "ME",
                             "#if"
                             " 0"}) {
      if (line.find(word) != std::string_view::npos) return word;
    }
    for (const char* folder : {"home", "opt", "root", "tmp", "work"}) {
      if (names_folder(line, std::string("/") + folder)) return "path of one machine";
    }
    return "";
  });
}

Findings long_lines(const Sources& sources) {
  const auto has_limit = [](const Source& source) {
    return is_code(source) || source.path.ends_with(".py");
  };
  return check(sources, has_limit, [](const Source&, std::string_view line) -> std::string {
    const auto columns = std::count_if(line.begin(), line.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // bytes that begin a UTF-8 character
    });
    return columns > 100 ? std::to_string(columns) + " columns" : "";
  });
}

/// What stands between `begin` and `end`; "" where that is not in the text.
std::string text_between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t at = text.find(begin);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = text.substr(at + begin.size());
  return std::string(rest.substr(0, rest.find(end)));
}

/// The names of systems that a script of bench/ has: keys of the dict SYSTEMS, a line each.
std::string systems_of_python(std::string_view text) {
  std::istringstream lines(text_between(text, "\nSYSTEMS = {", "\n}"));
  std::string names;
  for (std::string line; std::getline(lines, line);) {
    const std::string name = text_between(line, "    \"", "\": ");
    if (!name.empty()) names += names.empty() ? name : ' ' + name;
  }
  return names;
}

const Findings kNone;

}  // namespace

TEST_CASE("the source tree is found", "[repository]") {
  if (const std::string why = no_repository(); !why.empty()) return skip(why);
  const Sources sources = repository();
  for (const char* path : {"kernels/error.h", "tests/repository_test.cpp", "run", ".ci/run"}) {
    CAPTURE(path);
    CHECK(std::any_of(sources.begin(), sources.end(),
                      [&](const Source& source) { return source.path == path; }));
  }
}

TEST_CASE("includes point only down", "[repository]") {
  if (const std::string why = no_repository(); !why.empty()) return skip(why);
  CHECK(wrong_includes(repository()) == kNone);
  CHECK(wrong_includes({{"kernels/a.h", "// a\n# include \"core/tensor.h\"\n"}}) ==
        Findings{"kernels/a.h:2: kernels must not use core: #include\"core/tensor.h\""});
  CHECK(wrong_includes({{"data/a.cpp", "#include \"layers/module.h\""}}).size() == 1);
  CHECK(wrong_includes({{"core/a.cpp", "#include \"tensor.h\""}}).size() == 1);
  CHECK(wrong_includes({{"layers/a.cpp", "#include \"core/tensor.h\""}}) == kNone);
}

TEST_CASE("a source includes its own header first", "[repository]") {
  if (const std::string why = no_repository(); !why.empty()) return skip(why);
  CHECK(late_headers(repository()) == kNone);
  const Source header{"core/a.h", "#include <map>\n"};
  CHECK(late_headers({header, {"core/a.cpp", "// a\n#include \"core/a.h\"\n"}}) == kNone);
  CHECK(late_headers({header, {"core/a.cpp", "#include <map>\n#include \"core/a.h\"\n"}}) ==
        Findings{"core/a.cpp does not begin with core/a.h"});
  CHECK(late_headers({header, {"core/a.cpp", "int a;\n"}}) == kNone);
}

TEST_CASE("one place asks whether CUDA is there", "[repository]") {
  if (const std::string why = no_repository(); !why.empty()) return skip(why);
  CHECK(cuda_conditions(repository()).size() <= 1);
  CHECK(cuda_conditions({{"core/a.h", "#ifdef DRAPE_CUDA\n"},
                         {"core/b.cu", "\n#if defined(DRAPE_CUDA)\n#endif\n"}}) ==
        Findings{"core/a.h:1: asks for CUDA", "core/b.cu:2: asks for CUDA"});
}

TEST_CASE("no unfinished work, dead code or path of one machine is left", "[repository]") {
  if (const std::string why = no_repository(); !why.empty()) return skip(why);
  CHECK(leftovers(repository()) == kNone);
  CHECK(leftovers({{"run",
                    "# TO"
                    "DO: later"}})
            .size() == 1);
  CHECK(leftovers({{"core/a.h",
                    "#if"
                    " 0\n#endif"}})
            .size() == 1);
  CHECK(leftovers({{"README.md",
                    "cd /"
                    "home/me"}})
            .size() == 1);
  CHECK(leftovers({{"run",
                    "out=/"
                    "tmp"}})
            .size() == 1);
  CHECK(leftovers({{"README.md", "kernels/work, and/or build/tmp"}}) == kNone);
}

TEST_CASE("scripts know the systems of the study, and what was published", "[repository]") {
  if (const std::string why = no_repository(); !why.empty()) return skip(why);
  std::map<std::string, std::string> text_of;
  for (const Source& source : repository()) text_of[source.path] = source.text;
  std::string names;
  for (const drape::System& system : drape::systems()) {
    names += (names.empty() ? "" : " ") + std::string(system.name);
    const std::string row = text_between(text_of["bench/systems.py"],
                                         fmt::format("    \"{}\": (", system.name), "),\n");
    CHECK(text_between(row, "], ", "\n") == fmt::format("{:.2f}", 100 * system.published_accuracy));
  }
  CHECK(systems_of_python(text_of["bench/systems.py"]) == names);
  CHECK(systems_of_python(text_of["bench/peers/torch_systems.py"]) == names);
  CHECK(text_between(text_of["run"], "\nmodels='", "'\n") == names);
  CHECK(systems_of_python("a = 1\nSYSTEMS = {  # b\n    \"c\": 2,\n    \"d\": 3,\n}\n") == "c d");
}

TEST_CASE("no line of code is longer than 100 columns", "[repository]") {
  if (const std::string why = no_repository(); !why.empty()) return skip(why);
  CHECK(long_lines(repository()) == kNone);
  std::string line(100, 'x');
  line += "\u00e9";  // two bytes, one column
  CHECK(long_lines({{"core/a.h", line}}) == Findings{"core/a.h:1: 101 columns"});
  CHECK(long_lines({{"core/a.h", line.substr(1)}}) == kNone);
}
