#include "examples/report/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace drape {
namespace {

constexpr const char* kNone = "-";

// A number over seeds: whole for one run, with a decimal for the mean of several.
std::string mean_count(const Statistic& count) {
  return fmt::format("{:.{}f}", count.mean, count.count > 1 ? 1 : 0);
}

// About three digits, never an exponent.
std::string three_digits(double value) {
  return fmt::format("{:.{}f}", value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

std::string millions(std::int64_t value) {
  return three_digits(static_cast<double>(value) * 1e-6) + " M";
}

std::string bytes(double value) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; value >= 1024.0 && unit + 1 < kUnits.size(); ++unit) value /= 1024.0;
  return fmt::format("{} {}", unit == 0 ? fmt::format("{:.0f}", value) : three_digits(value),
                     kUnits[unit]);
}

std::int64_t rounded(double value) {
  return std::llround(value);
}

double published_difference(const SystemSummary& summary) {
  return summary.best_accuracy.mean - summary.system->published_accuracy;
}

std::string test_cell(const Section& section, const SystemSummary& summary) {
  const bool shown = section.shows_test() && summary.test_accuracy.count > 0;
  return shown ? percent(summary.test_accuracy) : kNone;
}

std::string seeds_phrase(const SystemSummary& summary) {
  const char* what = summary.seeds.size() > 1 ? "mean of seeds" : "seed";
  return fmt::format("{} {}", what, fmt::join(summary.seeds, ", "));
}

std::string stop_phrase(const SystemSummary& summary) {
  std::map<std::string, int> counts;
  for (const std::string& reason : summary.stop_reasons) ++counts[reason];
  std::vector<std::string> phrases;
  for (const auto& [reason, count] : counts)
    phrases.push_back(count > 1 ? fmt::format("{} ({} runs)", reason, count) : reason);
  return fmt::format("{}", fmt::join(phrases, "; "));
}

bool has_several_seeds(const Section& section) {
  return std::ranges::any_of(section.systems,
                             [](const SystemSummary& summary) { return summary.seeds.size() > 1; });
}

std::string protocol_sentence(const Section& section) {
  if (section.protocol == "published")
    return "Protocol published: trained on all training images, validated on the test images, the "
           "best epoch reported. It selects on the test set: good for comparison, not for claims.";
  return "Protocol held_out: a twelfth of the training images (5,000 of Fashion-MNIST's 60,000) is "
         "held out, stratified by class and drawn by seed, for validation and early stopping; the "
         "test images are looked at once, with the best weights restored.";
}

// By what other options than the number of epochs and MixUp, which the study varies, its systems
// were trained: "lr: 0.01 (Deformable CNN), 0.001 (Standard CNN)".
std::vector<std::string> differences(const Section& section) {
  std::map<std::string, std::map<std::string, std::vector<std::string>>>
      titles;  // by option, value
  for (const SystemSummary& summary : section.systems) {
    for (const auto& [name, value] : summary.training)
      if (name != "epochs" && name != "mixup")
        titles[name][value].emplace_back(summary.system->title);
  }
  std::vector<std::string> all;
  for (const auto& [name, values] : titles) {
    if (values.size() < 2) continue;
    std::vector<std::string> each;
    for (const auto& [value, systems] : values)
      each.push_back(fmt::format("{} ({})", value, fmt::join(systems, ", ")));
    all.push_back(fmt::format("{}: {}", name, fmt::join(each, ", ")));
  }
  return all;
}

}  // namespace

std::string percent(double fraction) {
  return fmt::format("{:.2f}", 100.0 * fraction);
}

std::string percent(const Statistic& fraction) {
  if (fraction.count < 2) return percent(fraction.mean);
  return fmt::format("{} ± {}", percent(fraction.mean), percent(fraction.deviation));
}

std::string points(double difference) {
  const std::string size = percent(std::abs(difference));
  if (size == "0.00") return size;
  return (difference < 0.0 ? "−" : "+") + size;
}

std::string grouped_digits(std::int64_t value) {
  std::string text = std::to_string(value);
  const std::ptrdiff_t first = value < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > first; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

Table comparison_table(const Section& section) {
  Table table;
  table.rows.resize(section.systems.size());
  const auto add = [&](const char* group, const char* title, auto&& cell) {
    table.columns.push_back({group, title});
    for (std::size_t i = 0; i < table.rows.size(); ++i)
      table.rows[i].push_back(cell(section.systems[i]));
  };
  using Summary = const SystemSummary&;
  const char* validation = section.synthetic ? "Best validation (synthetic)" : "Best validation";
  add("", "System", [](Summary s) { return std::string(s.system->title); });
  add("", "Runs", [](Summary s) { return std::to_string(s.seeds.size()); });
  add(validation, "Accuracy, %", [](Summary s) { return percent(s.best_accuracy); });
  add(validation, "Epoch", [](Summary s) { return mean_count(s.best_epoch); });
  if (section.shows_published()) {
    add("Published", "Accuracy, %",
        [](Summary s) { return percent(s.system->published_accuracy); });
    add("Published", "Epoch", [](Summary s) { return std::to_string(s.system->published_epoch); });
    add("Published", "Difference, points",
        [](Summary s) { return points(published_difference(s)); });
  }
  add("Test", "Accuracy, %", [&](Summary s) { return test_cell(section, s); });
  add("Cost", "Epochs run", [](Summary s) { return mean_count(s.epochs_run); });
  add("Cost", "s / epoch", [](Summary s) { return three_digits(s.seconds_per_epoch.mean); });
  add("Cost", "Images / s",
      [](Summary s) { return grouped_digits(rounded(s.images_per_second.mean)); });
  add("Cost", "Parameters", [](Summary s) { return grouped_digits(s.parameters); });
  add("Cost", "Multiply-adds / image",
      [](Summary s) { return millions(s.multiply_adds_per_image); });
  add("Cost", "Peak memory", [](Summary s) { return bytes(s.peak_memory_bytes.high); });
  return table;
}

std::string report_title(std::span<const Section> sections) {
  const auto is_synthetic = [](const Section& section) { return section.synthetic; };
  const std::string title = "Comparison of convolutional networks";
  if (std::ranges::all_of(sections, is_synthetic)) return title + " on SYNTHETIC data";
  if (std::ranges::any_of(sections, is_synthetic))
    return title + " on Fashion-MNIST and, apart, on SYNTHETIC data";
  return title + " on Fashion-MNIST";
}

std::string headline(const Section& section) {
  const auto accuracy = [](const SystemSummary& summary) { return summary.best_accuracy.mean; };
  const SystemSummary& best = *std::ranges::max_element(section.systems, {}, accuracy);
  std::string line = fmt::format("Best validation accuracy{}: {} % by {}",
                                 section.synthetic ? " on synthetic data" : "",
                                 percent(best.best_accuracy), best.system->title);
  if (section.shows_test() && best.test_accuracy.count > 0)
    line += fmt::format(", whose test accuracy is {} %", percent(best.test_accuracy));
  line += ".";
  if (!section.shows_published()) return line;
  const auto [lowest, highest] =
      std::ranges::minmax_element(section.systems, {}, published_difference);
  const double low = published_difference(*lowest), high = published_difference(*highest);
  if (section.systems.size() == 1)
    return line + fmt::format(" Difference from the published number: {} points.", points(low));
  return line + fmt::format(" Differences from the published numbers: {} to {} points.",
                            points(low), points(high));
}

std::vector<std::string> explanations(const Section& section) {
  std::vector<std::string> sentences;
  if (section.synthetic)
    sentences.push_back(
        "SYNTHETIC DATA: generated images. These numbers show that the program runs, not how good "
        "a system is, and published numbers are left out.");
  else if (!section.comparable)
    sentences.push_back(
        "Trained on part of Fashion-MNIST, or on other images: published numbers are left out.");
  if (const std::vector<std::string> found = differences(section); !found.empty())
    sentences.push_back(
        fmt::format("Not all systems were trained alike. {}.", fmt::join(found, "; ")));
  sentences.push_back(protocol_sentence(section));
  if (section.shows_published() && section.protocol != "published")
    sentences.push_back(
        "Published numbers of this kind are usually obtained on the test images; these are from "
        "held-out training images, so that the difference is a guide, not a measurement.");
  sentences.push_back(
      "Accuracies are in percent, over several seeds the mean ± sample standard deviation; epochs, "
      "times and rates are means over seeds, peak memory is the largest. Times are wall-clock on "
      "the named device; multiply-adds are those of one image's forward pass.");
  return sentences;
}

std::string curve_caption(const Section& section) {
  if (!has_several_seeds(section)) return "One run each.";
  return "Lines are means over the seeds, bands reach from the worst to the best seed; fainter "
         "where only some seeds trained that long.";
}

std::string twin_caption(const Section& section) {
  std::string caption = "Solid and filled: without MixUp; dashed and hollow: with MixUp.";
  if (section.shows_published() && section.protocol == "published")
    caption += " A cross marks the published best.";
  return caption;
}

std::string confusion_caption(const Section& section) {
  return fmt::format(
      "Images of the evaluated set by true class (rows) and predicted class (columns){}; "
      "the colour is the square root of the part of the row, so that rare mistakes show.",
      has_several_seeds(section) ? ", added up over the seeds" : "");
}

std::string system_line(const Section& section, const SystemSummary& summary) {
  std::string line =
      fmt::format("{}{} % best validation accuracy at epoch {} ({})",
                  section.synthetic ? "synthetic data: " : "", percent(summary.best_accuracy),
                  mean_count(summary.best_epoch), seeds_phrase(summary));
  if (section.shows_published())
    line += fmt::format("; published {} % at epoch {}, difference {} points",
                        percent(summary.system->published_accuracy),
                        summary.system->published_epoch, points(published_difference(summary)));
  if (section.shows_test() && summary.test_accuracy.count > 0)
    line += fmt::format("; test accuracy {} %", percent(summary.test_accuracy));
  if (const SystemSummary* reference = section.reference(summary))
    line += fmt::format("; {} points against {}",
                        points(summary.best_accuracy.mean - reference->best_accuracy.mean),
                        reference->system->title);
  return line + fmt::format(". Stopped after {} epochs: {}.", mean_count(summary.epochs_run),
                            stop_phrase(summary));
}

std::string class_name(std::span<const std::string> class_names, std::size_t index) {
  return index < class_names.size() ? class_names[index] : std::to_string(index);
}

std::string worst_confusion(const Confusion& confusion, std::span<const std::string> class_names) {
  std::int64_t most = 0;
  std::string sentence;
  for (std::size_t i = 0; i < confusion.size(); ++i)
    for (std::size_t j = 0; j < confusion.size(); ++j)
      if (i != j && confusion[i][j] > most) {
        most = confusion[i][j];
        sentence = fmt::format("Most often mistaken: {} for {} ({}).", class_name(class_names, i),
                               class_name(class_names, j), grouped_digits(most));
      }
  return sentence;
}

}  // namespace drape
