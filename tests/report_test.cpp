// The comparison report: what goes in comes out, put together rightly, escaped and unmixed.
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "examples/report/html.h"
#include "examples/report/json.h"
#include "examples/report/markdown.h"
#include "examples/report/report.h"
#include "examples/report/summary.h"
#include "examples/report/text.h"
#include "examples/run_result.h"
#include "models/systems.h"
#include "tests/catch.h"
#include "tests/data_helpers.h"
#include "tests/report_helpers.h"

namespace {

using namespace drape;
using namespace drape::tests;

std::vector<RunResult> all_systems(std::string_view protocol, bool synthetic) {
  std::vector<RunResult> runs;
  for (const System& system : systems()) {
    runs.push_back(run_of(system.name, 0, 0.85, std::string(protocol)));
    runs.back().synthetic = synthetic;
  }
  return runs;
}

std::string markdown(const std::vector<RunResult>& runs, const ReportOptions& options = {}) {
  return markdown_report(summarize(runs), options);
}

std::string html(const std::vector<RunResult>& runs, const ReportOptions& options = {}) {
  return html_report(summarize(runs), options);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::ptrdiff_t count(std::string_view text, std::string_view part) {
  std::ptrdiff_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

// The first thing wrong with the nesting of tags, or "".
std::string unbalanced(std::string_view page) {
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string_view::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    if (end == std::string_view::npos) return "a tag without end";
    const std::string_view tag = page.substr(at + 1, end - at - 1);
    if (tag.starts_with('!') || tag.ends_with('/')) continue;
    const bool closes = tag.starts_with('/');
    const std::string name(tag.substr(closes, tag.find(' ') - (closes ? 1 : 0)));
    if (!closes) open.push_back(name);
    if (closes && (open.empty() || open.back() != name)) return "unexpected </" + name + ">";
    if (closes) open.pop_back();
    // What is inside these is not markup.
    if (!closes && (name == "style" || name == "script")) at = page.find("</" + name, end) - 1;
  }
  return open.empty() ? "" : "unclosed <" + open.back() + ">";
}

}  // namespace

TEST_CASE("a statistic has the sample's mean and deviation") {
  const std::vector<double> values{2, 4, 4, 4, 5, 5, 7, 9};
  const Statistic result = statistic(values);
  CHECK(result.count == 8);
  CHECK(result.mean == Approx(5.0));
  CHECK(result.deviation == Approx(std::sqrt(32.0 / 7.0)));
  CHECK(result.low == 2.0);
  CHECK(result.high == 9.0);
  CHECK(statistic(std::vector<double>{3.0}).deviation == 0.0);
  CHECK(statistic({}).count == 0);
}

TEST_CASE("seeds of a system become one row with mean and deviation") {
  const std::vector<RunResult> runs = {run_of("standard", 2, 0.921, "held_out"),
                                       run_of("standard", 0, 0.919, "held_out"),
                                       run_of("standard", 1, 0.920, "held_out")};
  const std::vector<Section> sections = summarize(runs);
  REQUIRE(sections.size() == 1);
  REQUIRE(sections[0].systems.size() == 1);
  const SystemSummary& summary = sections[0].systems[0];
  CHECK(summary.seeds == std::vector<std::uint64_t>{0, 1, 2});
  CHECK(summary.confusion == Confusion{{270, 30}, {9, 291}});
  CHECK(summary.curve.at(3).mean == Approx(0.920));
  CHECK(summary.curve.at(3).high == 0.921);
  const std::vector<std::string> row = comparison_table(sections[0]).rows.at(0);
  CHECK(row == std::vector<std::string>{"Standard CNN", "3", "92.00 ± 0.10", "4.0", "92.30", "8",
                                        "−0.30", "91.00 ± 0.10", "5.0", "12.5", "4,800", "421,642",
                                        "4.24 M", "118 MiB"});
  for (const std::string& cell : row) {
    CAPTURE(cell);
    CHECK(contains(markdown(runs), cell));
    CHECK(contains(html(runs), cell));
  }
}

TEST_CASE("a curve is the mean over the seeds that got that far") {
  RunResult shorter = run_of("deep", 1, 0.8);
  shorter.history.resize(4);
  shorter.epochs_run = 4;
  const std::vector<Section> sections = summarize(std::vector{run_of("deep", 0, 0.9), shorter});
  const std::vector<Statistic>& curve = sections.at(0).systems.at(0).curve;
  REQUIRE(curve.size() == 5);
  CHECK(curve[3].count == 2);
  CHECK(curve[3].mean == Approx(0.85));
  CHECK(curve[4].count == 1);
  CHECK(curve[4].mean == Approx(0.89));
}

TEST_CASE("training time adds up the mean epochs of the seeds that got that far") {
  RunResult slower = run_of("deep", 1, 0.8);
  for (EpochRecord& record : slower.history) record.seconds = 20.0;
  slower.history.resize(4);
  slower.epochs_run = 4;
  const std::vector<Section> sections = summarize(std::vector{run_of("deep", 0, 0.9), slower});
  CHECK(sections.at(0).systems.at(0).elapsed ==
        std::vector<double>{16.25, 32.5, 48.75, 65.0, 77.5});
}

TEST_CASE("a seed without a confusion matrix adds nothing to it") {
  std::vector<RunResult> runs;
  for (const std::uint64_t seed : {0, 1, 2, 3}) runs.push_back(run_of("deep", seed, 0.9));
  runs[0].confusion.clear();
  runs[2].confusion.clear();
  CHECK(summarize(runs).at(0).systems.at(0).confusion == Confusion{{180, 20}, {6, 194}});
  runs[3].confusion = {{1}};
  CHECK_THAT(error_of([&] { summarize(runs); }), ContainsSubstring("one model for all seeds"));
}

TEST_CASE("a report says where systems were not trained alike, but for epochs and MixUp") {
  RunResult standard = run_of("standard", 0, 0.9), deep = run_of("deep", 0, 0.9);
  deep.options["epochs"] = "40";
  const auto said = [&] {
    return fmt::format("{}",
                       fmt::join(explanations(summarize(std::vector{standard, deep})[0]), "\n"));
  };
  CHECK_THAT(said(), !ContainsSubstring("trained alike"));
  deep.options["lr"] = "0.1";
  CHECK_THAT(said(), ContainsSubstring("Not all systems were trained alike. lr: 0.001 (Standard "
                                       "CNN), 0.1 (Deep CNN)."));
}

TEST_CASE("a system with MixUp has its curve where its base was not trained") {
  CHECK(contains(html({run_of("standard_mixup", 0, 0.9)}), "All epochs and values"));
}

TEST_CASE("rows stand in the study's order") {
  std::vector<RunResult> runs = all_systems("published", false);
  std::reverse(runs.begin(), runs.end());
  const std::vector<Section> sections = summarize(runs);
  REQUIRE(sections.at(0).systems.size() == systems().size());
  for (std::size_t i = 0; i < systems().size(); ++i)
    CHECK(sections[0].systems[i].system == &systems()[i]);
}

TEST_CASE("protocols, devices and kinds of data are never mixed") {
  std::vector<RunResult> runs = {run_of("standard", 0, 0.91), run_of("deep", 0, 0.92),
                                 run_of("standard", 0, 0.93, "held_out"),
                                 run_of("standard", 0, 0.94), run_of("standard", 0, 0.95)};
  runs[3].device = "cuda";
  runs[4].synthetic = true;
  const std::vector<Section> sections = summarize(runs);
  std::vector<std::string> titles;
  for (const Section& section : sections) titles.push_back(section.title());
  CHECK(titles ==
        std::vector<std::string>{"Protocol held_out, device cpu in fp32",
                                 "Protocol published, device cpu in fp32",
                                 "Protocol published, device cuda in fp32",
                                 "Protocol published, device cpu in fp32, SYNTHETIC data"});
  const auto accuracies = [&](std::size_t section) {
    std::vector<std::string> cells;
    for (const auto& row : comparison_table(sections[section]).rows) cells.push_back(row.at(2));
    return cells;
  };
  CHECK(accuracies(0) == std::vector<std::string>{"93.00"});
  CHECK(accuracies(1) == std::vector<std::string>{"91.00", "92.00"});
  CHECK(accuracies(2) == std::vector<std::string>{"94.00"});
  CHECK(accuracies(3) == std::vector<std::string>{"95.00"});
}

TEST_CASE("test accuracy is shown under held_out only") {
  std::vector<RunResult> runs = {run_of("standard", 0, 0.95, "held_out")};
  CHECK(contains(markdown(runs), "94.00"));
  runs[0].protocol = "published";
  CHECK_FALSE(contains(markdown(runs), "94.00"));
  CHECK_FALSE(contains(html(runs), "test accuracy"));
  CHECK(contains(markdown(runs), "| - |"));
}

TEST_CASE("synthetic runs never stand beside published numbers") {
  const std::vector<RunResult> runs = all_systems("published", true);
  const std::string page = html(runs), text = markdown(runs);
  const std::string data = json_report(summarize(runs), runs, {});
  for (const std::string& report : {page, text, data}) {
    CHECK_FALSE(contains(report, "Published"));
    CHECK_FALSE(contains(report, "published_accuracy"));
    CHECK(contains(report, "SYNTHETIC data"));
  }
  for (const System& system : systems()) {
    const std::string accuracy = percent(system.published_accuracy);
    CHECK_FALSE(contains(text, accuracy));
    CHECK_FALSE(contains(page, ">" + accuracy + "<"));  // not as a coordinate, that is
    CHECK_FALSE(contains(page, accuracy + " %"));
  }
  // The control: the same runs on real data do.
  const std::vector<RunResult> real = all_systems("published", false);
  CHECK(contains(html(real), ">92.30<"));
  CHECK(contains(html(real), "92.30 %"));
  CHECK(contains(markdown(real), "| 92.30 |"));
  CHECK(contains(markdown(real), "Published: Accuracy"));
  CHECK(contains(json_report(summarize(real), real, {}), "published_accuracy"));
  CHECK_FALSE(contains(html(real), "SYNTHETIC"));
}

TEST_CASE("runs on part of the data, or on other data, never stand beside published numbers") {
  std::vector<RunResult> runs = all_systems("published", false);
  for (RunResult& run : runs) run.comparable = false;
  CHECK_FALSE(contains(html(runs), ">92.30<"));
  CHECK_FALSE(contains(markdown(runs), "Published"));
  CHECK_FALSE(contains(html(runs), "SYNTHETIC"));
  CHECK(contains(markdown(runs), "published numbers are left out"));
}

TEST_CASE("synthetic runs say so in the title, the table and every chart") {
  const std::string page = html(all_systems("held_out", true));
  CHECK(contains(page, "<h1>Comparison of convolutional networks on SYNTHETIC data</h1>"));
  CHECK(contains(page, "Best validation (synthetic)"));
  const std::ptrdiff_t charts = count(page, "role=\"img\"");
  CHECK(charts == 4 * 2 + 2 * 2 + 3 + 8);  // curves, pairs, each wide and narrow; costs; matrices
  CHECK(count(page, "class=\"synthetic\"") == charts);
}

TEST_CASE("whatever a report is given is escaped") {
  const std::string hostile = "</pre><script>alert('1')</script> & \"|*_`\n\x01";
  std::vector<RunResult> runs = all_systems("published", false);
  for (RunResult& run : runs) {
    run.device = hostile;
    run.stop_reason = hostile;
    run.commit = hostile;
  }
  const ReportOptions options{hostile, hostile, {hostile, "<b>"}, {}, {hostile}};
  const std::string page = html(runs, options);
  CHECK(count(page, "<script>") == 1);  // our own
  CHECK_FALSE(contains(page, "alert('1')"));
  CHECK_FALSE(contains(page, "<b>"));
  CHECK_FALSE(contains(page, "\x01"));
  CHECK(
      contains(page, "&lt;/pre&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;|"));
  CHECK(unbalanced(page) == "");
  const std::string text = markdown(runs, options);
  CHECK(contains(text, "\\<script\\>"));
  CHECK(contains(text, "    </pre><script>"));  // in the code block of the command, as it is
  const std::size_t command = text.find("Command line:");
  CHECK(count(text, "<script>") == count(text.substr(command), "<script>"));
}

TEST_CASE("a report names the runs that have no result") {
  const std::string run = "deep, seed 3: expected a finite loss, got nan";
  ReportOptions options;
  options.absent = {run};
  const std::vector<RunResult> runs = all_systems("published", false);
  CHECK(contains(html(runs, options), "<li>" + run + "</li>"));
  CHECK(contains(markdown(runs, options), "- " + run + "\n"));
  CHECK_FALSE(contains(markdown(runs), "diverged before"));
}

TEST_CASE("markdown shows special characters as they are") {
  CHECK(escape_markdown("a|b*c_d`<e>\n#f") == "a\\|b\\*c\\_d\\`\\<e\\> \\#f");
  CHECK(escape_markdown("92.30 ± 0.12 %") == "92.30 ± 0.12 %");
}

TEST_CASE("bytes that are not UTF-8 do not break report.json") {
  const std::vector<RunResult> runs = {run_of("standard", 0, 0.9)};
  const std::string text = json_report(summarize(runs), runs,
                                       {.command = "a\xff\xfe", .machine = "", .class_names = {}});
  const auto json = nlohmann::json::parse(text);
  CHECK(json.at("command") == "a\ufffd\ufffd");
  CHECK(json.at("runs").at(0).at("history").size() == 5);
  CHECK(json.at("sections").at(0).at("systems").at(0).at("difference").get<double>() ==
        Approx(-0.023));
}

TEST_CASE("a report names each commit of its runs once") {
  std::vector<RunResult> runs = {run_of("standard", 0, 0.9), run_of("standard", 1, 0.9),
                                 run_of("deep", 0, 0.9), run_of("deep", 0, 0.9, "held_out"),
                                 run_of("enhanced", 0, 0.9)};
  runs[0].commit = "bbb2222";
  runs[2].commit = "";
  runs[3].commit = "aaa1111";
  CHECK(contains(markdown(runs), "\nCommit: 1234abc, aaa1111, bbb2222\n"));
  CHECK(contains(html(runs), "<code>1234abc, aaa1111, bbb2222</code>"));
  const auto json = nlohmann::json::parse(json_report(summarize(runs), runs, {}));
  CHECK(json.at("commits") == nlohmann::json{"1234abc", "aaa1111", "bbb2222"});
  CHECK(json.at("runs").at(0).at("commit") == "bbb2222");
  for (RunResult& run : runs) run.commit.clear();
  CHECK_FALSE(contains(markdown(runs), "Commit"));
  CHECK_FALSE(contains(html(runs), "How to get these numbers again"));
}

TEST_CASE("the check of tags sees what is unbalanced") {
  CHECK(unbalanced("<!DOCTYPE html><a b=\"c\"><d/><e>1 &lt; 2</e></a>") == "");
  CHECK(unbalanced("<script>if (a < b) '</i>'</script>") == "");
  CHECK(unbalanced("<a><b></a></b>") == "unexpected </a>");
  CHECK(unbalanced("<a><b></b>") == "unclosed <a>");
  CHECK(unbalanced("</a>") == "unexpected </a>");
}

TEST_CASE("report.html is balanced and holds all it needs") {
  std::vector<RunResult> runs = all_systems("published", false);
  for (const RunResult& run : all_systems("held_out", false)) runs.push_back(run);
  runs.push_back(run_of("standard", 1, 0.9));
  const std::string page = html(runs, {"drape compare", "a machine", {"cat", "dog"}});
  CHECK(unbalanced(page) == "");
  CHECK(count(page, "<svg") == count(page, "</svg>"));
  for (const char* outside : {"http://", "https://", "src=", "href=", "url(", "@import", "<link"})
    CHECK_FALSE(contains(page, outside));
  for (const char* inside : {"drape compare", "a machine", "1234abc", "cat", "dog", "<desc>"})
    CHECK(contains(page, inside));
}

TEST_CASE("any subset of the systems makes a report") {
  for (const System& system : systems()) {
    RunResult run = run_of(system.name, 0, 1.0, "held_out");
    run.history.resize(1);
    run.epochs_run = run.best_epoch = 1;
    run.seconds_per_epoch = 0.0;
    run.parameters = run.multiply_adds_per_image = 0;
    run.confusion.clear();
    const std::string page = html({run});
    CHECK(unbalanced(page) == "");
    CHECK_FALSE(contains(page, "nan"));
    CHECK_FALSE(contains(page, "\"inf"));
  }
}

TEST_CASE("write_report writes three files and nothing else") {
  const TemporaryFolder folder;
  const std::vector<RunResult> runs = all_systems("published", false);
  write_report(runs, folder / "a/b",
               {.command = "c", .machine = "m", .class_names = {"cat", "dog"}});
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "a/b"))
    names.insert(entry.path().filename().string());
  CHECK(names == std::set<std::string>{"report.html", "report.json", "report.md"});
}

TEST_CASE("a report of wrong runs is refused") {
  const TemporaryFolder folder;
  const auto message = [&](const std::vector<RunResult>& runs, const ReportOptions& options = {}) {
    return error_of([&] { write_report(runs, folder / "report", options); });
  };
  RunResult run = run_of("deep", 3, 0.9), other = run_of("deep", 4, 0.9);
  other.parameters = 1;
  CHECK_THAT(message({}), ContainsSubstring("at least one run"));
  CHECK_THAT(message({run, run}), ContainsSubstring("one run of deep with seed 3, got two"));
  CHECK_THAT(message({run, other}), ContainsSubstring("one model for all seeds of deep"));
  other = run_of("deep", 4, 0.9);
  other.options["lr"] = "0.1";
  CHECK_THAT(message({run, other}),
             ContainsSubstring("all seeds of deep to be trained alike, got lr 0.001 and 0.1"));
  other = run_of("deep", 4, 0.9);
  other.training_images = 200;
  CHECK_THAT(message({run, other}), ContainsSubstring("got training images 60000 and 200"));
  CHECK_THAT(message({run}, {"", "", {"a", "b", "c"}}),
             ContainsSubstring("expected 2 class names"));
  run.best_validation_accuracy = std::nan("");
  CHECK_THAT(message({run}), ContainsSubstring("best_validation_accuracy"));
  CHECK_FALSE(std::filesystem::exists(folder / "report"));
}

TEST_CASE("published bests are marked only under the published protocol and on real data") {
  const auto crosses = [](std::string_view protocol, bool synthetic) {
    return count(html(all_systems(protocol, synthetic)), "class=\"cross\"");
  };
  CHECK(crosses("published", false) == 2 * 2 * 2);  // pairs, systems in each, wide and narrow
  CHECK(crosses("held_out", false) == 0);
  CHECK(crosses("published", true) == 0);
}
