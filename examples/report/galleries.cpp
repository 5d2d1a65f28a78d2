#include "examples/report/galleries.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "examples/report/charts.h"
#include "examples/report/sampling_chart.h"
#include "examples/report/text.h"

namespace drape {
namespace {

// The pictures of one of the section's systems.
struct Pictured {
  const SystemSummary* summary;
  const RunPictures* pictures;
};
using AllPictured = std::vector<Pictured>;

AllPictured pictured(const Section& section, const ReportOptions& options,
                     const std::function<bool(const RunPictures&)>& has_what_is_shown) {
  AllPictured found;
  for (const SystemSummary& summary : section.systems)
    for (const RunPictures& run : options.pictures.runs)
      if (run.system == summary.system->name && run.seed == summary.seeds.front() &&
          has_what_is_shown(run))
        found.push_back({&summary, &run});
  return found;
}

std::string name_of(const ReportOptions& options, std::int64_t label) {
  return class_name(options.class_names, static_cast<std::size_t>(label));
}

// A part of the page with a legend and, for every system, a figure that the legend switches.
void draw_gallery(Markup& page, const AllPictured& all, std::string_view style,
                  const std::function<void(const Pictured&)>& content) {
  Systems systems;
  for (const Pictured& one : all) systems.push_back(one.summary);
  if (systems.size() > 1) draw_legend(page, systems);
  page.element("div", {{"class", fmt::format("grid {}", style)}}, [&] {
    for (const Pictured& one : all)
      page.element("figure", {{"data-series", one.summary->system->name}}, [&] {
        page.element("h4", {}, one.summary->system->title);
        content(one);
      });
  });
}

void draw_photo(Markup& page, const GreyImage& image, std::string_view says,
                const std::function<void()>& caption) {
  page.element("div", {{"class", "photo"}}, [&] {
    page.leaf("img", {{"src", data_uri(image)},
                      {"alt", says},
                      {"width", static_cast<double>(image.width)},
                      {"height", static_cast<double>(image.height)}});
    page.element("p", {}, caption);
  });
}

void draw_key(Markup& page, std::string_view style, std::string_view text) {
  page.element("span", {{"class", "key"}}, [&] {
    page.element("i", {{"class", style}}, "");
    page.text(text);
  });
}

void draw_sampling(Markup& page, const Section& section, const ReportOptions& options) {
  const AllPictured all =
      pictured(section, options, [](const RunPictures& run) { return !run.sampling.empty(); });
  if (all.empty()) return;
  page.element("h3", {}, "Where deformable layers look");
  page.element(
      "p", {{"class", "note"}},
      "Parts of test images, and what one output pixel of the second layer reads of them, "
      "after figure 6 of Dai et al. 2017 (arXiv:1703.06211). A tap beside the first layer's "
      "output reads zeros and has no points.");
  page.element("p", {{"class", "note"}}, [&] {
    draw_key(page, "regular", "output pixel (ring) and the taps of an ordinary convolution");
    draw_key(page, "taps", "9 taps of the second layer");
    draw_key(page, "points", "the 81 points that the first layer reads for them");
  });
  draw_gallery(page, all, "two", [&](const Pictured& one) {
    page.element("div", {{"class", "nine"}}, [&] {
      for (const SamplingPicture& picture : one.pictures->sampling)
        draw_sampling_points(page, *one.summary->system, picture, name_of(options, picture.label));
    });
  });
}

// "conv1: 12.00 % dead, 0.00 % escaping; conv2: ..." of the last epoch.
std::string offset_sentence(const OffsetHistory& offsets) {
  std::string sentence;
  for (const OffsetHistogram& one : offsets)
    if (one.epoch == offsets.back().epoch)
      sentence += fmt::format("{}{}: {} % dead, {} % escaping", sentence.empty() ? "" : "; ",
                              one.layer, percent(one.dead_part()), percent(one.escaping_part()));
  return fmt::format("After epoch {}: {}.", offsets.back().epoch, sentence);
}

void draw_offset_lengths(Markup& page, const Section& section, const ReportOptions& options) {
  const AllPictured all =
      pictured(section, options, [](const RunPictures& run) { return !run.offsets.empty(); });
  if (all.empty()) return;
  page.element("h3", {}, "How far they look");
  page.element("p", {{"class", "note"}},
               fmt::format("Lengths of the offsets over validation images, in pixels of the "
                           "layer's input; the colour is the square root of the part. Dead: "
                           "shorter than {} pixel, as before training; escaping: longer than half "
                           "of the image.",
                           kOffsetBinEnds.front()));
  draw_gallery(page, all, "two", [&](const Pictured& one) {
    const OffsetHistory& offsets = one.pictures->offsets;
    page.element("div", {{"class", "layers"}}, [&] {
      for (const OffsetHistogram& first : offsets) {
        if (first.epoch != offsets.front().epoch) break;  // from here on the layers repeat
        OffsetHistory of_layer;
        std::ranges::copy_if(offsets, std::back_inserter(of_layer),
                             [&](const auto& other) { return other.layer == first.layer; });
        page.element("div", {}, [&] {
          page.element("h4", {}, first.layer);
          draw_offsets(page, section, *one.summary->system, of_layer);
        });
      }
    });
    page.element("figcaption", {}, offset_sentence(offsets));
  });
}

void draw_filters(Markup& page, const Section& section, const ReportOptions& options) {
  const AllPictured all =
      pictured(section, options, [](const RunPictures& run) { return run.filters.count > 0; });
  if (all.empty()) return;
  page.element("h3", {}, "Filters of the first layer");
  page.element("p", {{"class", "note"}},
               "Middle grey is zero, white and black are the largest weight and its negative.");
  draw_gallery(page, all, "small", [&](const Pictured& one) {
    const FilterPicture& filters = one.pictures->filters;
    draw_filter_mosaic(page, *one.summary->system, filters);
    page.element("figcaption", {},
                 fmt::format("{} filters, white is {:.2f}", filters.count, filters.largest));
  });
}

void draw_mixup(Markup& page, const Section& section, const ReportOptions& options) {
  const auto mixes = [](const SystemSummary& summary) { return summary.system->mixup_alpha > 0.0; };
  if (options.pictures.mixed.empty() || std::ranges::none_of(section.systems, mixes)) return;
  page.element("h3", {}, "What MixUp trains with");
  page.element("p", {{"class", "note"}},
               "Images mixed as in training: λ of one and 1 − λ of another, in pixels and labels.");
  page.element("figure", {{"class", "photos wider"}}, [&] {
    for (const MixedImage& mixed : options.pictures.mixed) {
      const std::string one = fmt::format("{:.2f} {}", mixed.lambda, name_of(options, mixed.label));
      const std::string other =
          fmt::format("{:.2f} {}", 1.0 - mixed.lambda, name_of(options, mixed.other_label));
      draw_photo(page, mixed.image, fmt::format("{} and {}", one, other), [&] {
        page.element("span", {}, one);
        page.element("span", {}, "+ " + other);
      });
    }
  });
}

void draw_mistakes(Markup& page, const Section& section, const ReportOptions& options) {
  const AllPictured all =
      pictured(section, options, [](const RunPictures& run) { return !run.mistakes.empty(); });
  if (all.empty()) return;
  page.element("h3", {}, "The surest mistakes");
  page.element("p", {{"class", "note"}},
               "Of the test images taken for another class those with the highest probability: "
               "the label, what it was taken for, and that probability.");
  draw_gallery(page, all, "three", [&](const Pictured& one) {
    page.element("div", {{"class", "photos"}}, [&] {
      for (const auto& [image, mistake] : one.pictures->mistakes) {
        const std::string label = name_of(options, mistake.label);
        const std::string taken = name_of(options, mistake.prediction);
        const std::string sure = fmt::format("{:.1f} %", 100.0 * mistake.probability);
        draw_photo(page, image, fmt::format("{}, taken for {}, {}", label, taken, sure), [&] {
          page.element("span", {}, label);
          page.element("span", {{"class", "wrong"}}, taken);
          page.element("span", {}, sure);
        });
      }
    });
  });
}

}  // namespace

void draw_galleries(Markup& page, const Section& section, const ReportOptions& options) {
  draw_sampling(page, section, options);
  draw_offset_lengths(page, section, options);
  draw_filters(page, section, options);
  draw_mixup(page, section, options);
  draw_mistakes(page, section, options);
  if (!options.pictures.missing.empty())
    page.element("p", {{"class", "note"}}, options.pictures.missing);
}

}  // namespace drape
