#include "examples/report/summary.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "core/check.h"

namespace drape {
namespace {

using Runs = std::vector<const RunResult*>;

// The statistic of one number of each run.
template <class Number>
Statistic over(const Runs& runs, Number&& number) {
  std::vector<double> values;
  for (const RunResult* run : runs)
    values.push_back(static_cast<double>(std::invoke(number, *run)));
  return statistic(values);
}

Statistic test_accuracy(const Runs& runs) {
  std::vector<double> values;
  for (const RunResult* run : runs)
    if (run->test_accuracy) values.push_back(*run->test_accuracy);
  return statistic(values);
}

// A column of the histories by epoch, over the runs that got that far.
std::vector<Statistic> mean_curve(const Runs& runs, double EpochRecord::*column) {
  std::vector<Statistic> curve;
  while (true) {
    std::vector<double> values;
    for (const RunResult* run : runs)
      if (curve.size() < run->history.size()) values.push_back(run->history[curve.size()].*column);
    if (values.empty()) return curve;
    curve.push_back(statistic(values));
  }
}

std::vector<double> elapsed_seconds(const Runs& runs) {
  std::vector<double> elapsed;
  double sum = 0.0;
  for (const Statistic& seconds : mean_curve(runs, &EpochRecord::seconds))
    elapsed.push_back(sum += seconds.mean);
  return elapsed;
}

// What decided how a run was trained, by name; none where it is not known.
std::map<std::string, std::string> training_of(const RunResult& run) {
  std::map<std::string, std::string> all = run.options;
  if (!all.empty()) all["training images"] = std::to_string(run.training_images);
  return all;
}

// The first of these that differs, "lr 0.1 and 0.01"; empty if none does.
std::string difference_of(const RunResult& a, const RunResult& b) {
  const auto of_a = training_of(a), of_b = training_of(b);
  for (const auto& [name, value] : of_a) {
    const auto other = of_b.find(name);
    if (other == of_b.end() || other->second != value)
      return fmt::format("{} {} and {}", name, value, other == of_b.end() ? "none" : other->second);
  }
  return "";
}

// Runs that were stopped before they counted theirs have none, and add nothing.
Confusion added_confusion(const Runs& runs) {
  Confusion sum;
  for (const RunResult* run : runs) {
    if (sum.empty()) {
      sum = run->confusion;
      continue;
    }
    for (std::size_t i = 0; i < run->confusion.size(); ++i)
      std::ranges::transform(sum[i], run->confusion[i], sum[i].begin(), std::plus{});
  }
  return sum;
}

void check_trained_alike(const Runs& runs) {
  const RunResult* first = nullptr;
  for (const RunResult* run : runs) {
    if (run->options.empty()) continue;
    if (first == nullptr) first = run;
    const std::string difference = difference_of(*first, *run);
    DRAPE_CHECK(difference.empty(),
                "report: expected all seeds of {} to be trained alike, got {} for {} and {}",
                run->system, difference, first->seed, run->seed);
  }
}

void check_same_model(const Runs& runs) {
  const RunResult& first = *runs.front();
  std::size_t classes = 0;
  for (const RunResult* run : runs) {
    if (classes == 0) classes = run->confusion.size();
    const bool same = run->parameters == first.parameters &&
                      run->multiply_adds_per_image == first.multiply_adds_per_image &&
                      (run->confusion.empty() || run->confusion.size() == classes);
    DRAPE_CHECK(same, "report: expected one model for all seeds of {}, got others for {} and {}",
                run->system, first.seed, run->seed);
  }
}

// `runs`: of one system, by seed.
SystemSummary summarize_system(const Runs& runs) {
  check_same_model(runs);
  check_trained_alike(runs);
  const RunResult& first = *runs.front();
  SystemSummary summary{
      .system = &find_system(first.system),
      .seeds = {},
      .stop_reasons = {},
      .commits = {},
      .training = training_of(first),
      .best_accuracy = over(runs, &RunResult::best_validation_accuracy),
      .best_epoch = over(runs, &RunResult::best_epoch),
      .test_accuracy = test_accuracy(runs),
      .epochs_run = over(runs, &RunResult::epochs_run),
      .seconds_per_epoch = over(runs, &RunResult::seconds_per_epoch),
      .images_per_second = over(runs, &RunResult::images_per_second),
      .peak_memory_bytes = over(runs, &RunResult::peak_memory_bytes),
      .parameters = first.parameters,
      .multiply_adds_per_image = first.multiply_adds_per_image,
      .curve = mean_curve(runs, &EpochRecord::validation_accuracy),
      .elapsed = elapsed_seconds(runs),
      .confusion = added_confusion(runs),
  };
  for (const RunResult* run : runs) {
    summary.seeds.push_back(run->seed);
    summary.stop_reasons.push_back(run->stop_reason);
    if (!run->commit.empty()) summary.commits.insert(run->commit);
  }
  return summary;
}

auto section_key(const RunResult& run) {
  return std::tuple(run.protocol != "held_out", run.synthetic, !run.comparable, run.device,
                    run.precision);
}

auto group_key(const RunResult& run) {
  return std::tuple_cat(section_key(run), std::tuple(&find_system(run.system)));
}

auto sort_key(const RunResult* run) {
  return std::tuple_cat(group_key(*run), std::tuple(run->seed));
}

// The runs of each system of each section, by seed; all in the order of the report.
std::vector<Runs> grouped(std::span<const RunResult> runs) {
  Runs sorted;
  for (const RunResult& run : runs) {
    validate(run);
    sorted.push_back(&run);
  }
  std::ranges::sort(sorted, {}, sort_key);
  const auto twice = std::ranges::adjacent_find(sorted, {}, sort_key);
  DRAPE_CHECK(twice == sorted.end(), "report: expected one run of {} with seed {}, got two",
              (*twice)->system, (*twice)->seed);
  std::vector<Runs> groups;
  for (const RunResult* run : sorted) {
    if (groups.empty() || group_key(*groups.back().front()) != group_key(*run))
      groups.emplace_back();
    groups.back().push_back(run);
  }
  return groups;
}

}  // namespace

Statistic statistic(std::span<const double> values) {
  if (values.empty()) return {};
  Statistic result{.count = static_cast<int>(values.size()),
                   .low = *std::ranges::min_element(values),
                   .high = *std::ranges::max_element(values)};
  for (const double value : values) result.mean += value / result.count;
  double squares = 0.0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  if (result.count > 1) result.deviation = std::sqrt(squares / (result.count - 1));
  return result;
}

const SystemSummary* Section::find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      systems, [&](const SystemSummary& summary) { return summary.system->name == name; });
  return found == systems.end() ? nullptr : &*found;
}

const SystemSummary* Section::reference(const SystemSummary& summary) const {
  const bool twin = summary.system->base != summary.system->name;
  const SystemSummary* reference = find(twin ? summary.system->base : "standard");
  return reference == &summary ? nullptr : reference;
}

std::string Section::title() const {
  return fmt::format("Protocol {}, device {} in {}{}", protocol, device, precision,
                     synthetic     ? ", SYNTHETIC data"
                     : !comparable ? ", not all of Fashion-MNIST"
                                   : "");
}

std::set<std::string> commits(std::span<const Section> sections) {
  std::set<std::string> all;
  for (const Section& section : sections)
    for (const SystemSummary& summary : section.systems)
      all.insert(summary.commits.begin(), summary.commits.end());
  return all;
}

std::vector<Section> summarize(std::span<const RunResult> runs) {
  DRAPE_CHECK(!runs.empty(), "report: expected at least one run, got none");
  std::vector<Section> sections;
  const RunResult* previous = nullptr;
  for (const Runs& of_system : grouped(runs)) {
    const RunResult& first = *of_system.front();
    if (previous == nullptr || section_key(*previous) != section_key(first))
      sections.push_back(
          {first.protocol, first.device, first.precision, first.synthetic, first.comparable, {}});
    sections.back().systems.push_back(summarize_system(of_system));
    previous = &first;
  }
  return sections;
}

}  // namespace drape
