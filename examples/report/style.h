// The style sheet that report.html carries inside itself.
#pragma once

#include <string_view>

namespace drape {

// Hues h0 ... h5 were searched for the largest smallest distance in OKLab between any two, in
// normal vision and under simulated protanopia, deuteranopia and tritanopia (Machado et al. 2009),
// at a contrast of at least 3:1.
inline constexpr std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1a1d23; --soft: #565d69; --rule: #dfe2e8;
  --accent: #1e3aa8; --warn-ink: #8a2b00;
  --heat: #00265c; --on-heat: #ffffff; --off-heat: #000000;
  --c0: #1e3aa8; --c1: #811f12; --c2: #127b48; --c3: #d54ca2; --c4: #a08d04; --c5: #018fd6;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --panel: #1c2027; --ink: #e8eaee; --soft: #a3abb8; --rule: #343a45;
    --accent: #8db8ff; --warn-ink: #ffb787;
    --heat: #7fb2f0; --on-heat: #000000; --off-heat: #ffffff;
    --c0: #509fff; --c1: #f99497; --c2: #6c9a1c; --c3: #b857ac; --c4: #e5de4a; --c5: #28f3ff;
  }
}
.h0 { --hue: var(--c0); } .h1 { --hue: var(--c1); } .h2 { --hue: var(--c2); }
.h3 { --hue: var(--c3); } .h4 { --hue: var(--c4); } .h5 { --hue: var(--c5); }

* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans);
}
main { max-width: 1280px; margin: 0 auto; padding: 40px 24px 64px; }
h1 {
  font-size: 30px; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 8px; text-wrap: balance;
}
h2 { font-size: 22px; line-height: 1.3; letter-spacing: -0.01em; margin: 56px 0 8px; }
h3 { font-size: 17px; line-height: 1.35; margin: 40px 0 4px; }
h4 { font-size: 14px; margin: 0 0 4px; }
p, ul, dl { margin: 8px 0; max-width: 76ch; }
.lead { font-size: 18px; }
.note, figcaption { color: var(--soft); font-size: 14px; }
figure { margin: 12px 0; min-width: 0; }
code, pre { font: 13px/1.5 var(--mono); }
pre {
  background: var(--panel); border-radius: 8px; padding: 12px 14px;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
dt { font-size: 13px; color: var(--soft); margin-top: 12px; }
dd { margin: 0; overflow-wrap: anywhere; }
li { margin: 6px 0; }

.scroll {
  overflow-x: auto; border: 1px solid var(--rule); border-radius: 10px; margin: 20px 0 8px;
}
.scroll:focus-visible, button:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px;
}
table {
  border-collapse: separate; border-spacing: 0; width: 100%;
  font-size: 13px; line-height: 20px; font-variant-numeric: tabular-nums;
}
th, td {
  padding: 7px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule);
}
thead th {
  font-weight: 600; font-size: 12px; line-height: 16px; color: var(--soft); vertical-align: bottom;
}
thead th.title { white-space: normal; padding-top: 2px; }
thead th.group { text-align: left; color: var(--ink); border-bottom: 0; padding-bottom: 0; }
th.begins, td.begins { border-left: 1px solid var(--rule); }
th.system {
  text-align: left; position: sticky; left: 0; z-index: 1; background: var(--paper) padding-box;
}
tbody th { font-weight: 550; }
tbody tr:last-child > * { border-bottom: 0; }
tbody tr:hover > * { background: var(--panel); }

.legend { display: flex; flex-wrap: wrap; gap: 6px; margin: 10px 0; }
.legend button {
  display: inline-flex; align-items: center; gap: 8px; padding: 4px 12px 4px 8px; cursor: pointer;
  font: inherit; font-size: 13px; color: var(--ink); background: var(--paper);
  border: 1px solid var(--rule); border-radius: 999px;
}
.legend button:hover { background: var(--panel); }
.legend button[aria-pressed="false"] { color: var(--soft); text-decoration: line-through; }
.legend button[aria-pressed="false"] svg { opacity: 0.25; }
.swatch { width: 28px; height: 14px; flex: none; vertical-align: -2px; }
tbody .swatch { margin-right: 8px; }

.chart > svg, .matrix > svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
.narrow { display: none; }
.grid { display: grid; gap: 28px 24px; margin: 12px 0; }
.grid.two { grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); }
.grid.three { grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); }
.grid figure { margin: 0; }
.matrix { max-width: 460px; }

svg text { font: 12px var(--sans); fill: var(--ink); }
.axes text { fill: var(--soft); font-variant-numeric: tabular-nums; }
.axes line { stroke: var(--rule); stroke-width: 1; }
svg text.synthetic { fill: var(--warn-ink); font-weight: 650; letter-spacing: 0.04em; }
.line {
  fill: none; stroke: var(--hue); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round;
}
.twin .line { stroke-dasharray: 6 5; }
.tail { opacity: 0.4; }
.band { fill: var(--hue); opacity: 0.1; }
.marker { fill: var(--hue); stroke: var(--paper); stroke-width: 1.25; }
.twin .marker { fill: var(--paper); stroke: var(--hue); stroke-width: 2; }
.mark.hidden .marker { fill-opacity: 0; stroke-opacity: 0; }
.mark.hidden:hover .marker, .mark.hidden.near .marker { fill-opacity: 1; stroke-opacity: 1; }
.mark .target { fill: transparent; }
.cross { fill: none; stroke: var(--hue); stroke-width: 2.5; }
.whisker { stroke: var(--hue); stroke-width: 1.5; opacity: 0.6; }
.leader { stroke: var(--soft); stroke-width: 1; opacity: 0.6; }
svg text.label { font-size: 11px; }
.cursor { stroke: var(--soft); stroke-width: 1; visibility: hidden; }
.cell rect { fill: var(--heat); stroke: var(--rule); stroke-width: 0.5; }
.cell text { font-size: 10.5px; fill: var(--off-heat); font-variant-numeric: tabular-nums; }
.cell.long text { font-size: 9.5px; }
.cell.zero text { fill: var(--soft); }
.cell.strong text { fill: var(--on-heat); }
.cell:hover rect { stroke: var(--ink); stroke-width: 1.5; }
.axes line.half { stroke: var(--warn-ink); stroke-dasharray: 4 4; }

.layers { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
.layers .cell rect { stroke: none; }
.layers h4 { font-weight: 550; color: var(--soft); }
.grid.small { grid-template-columns: repeat(auto-fill, minmax(min(44%, 220px), 1fr)); }
.nine { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; }
.photos {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(76px, 1fr)); gap: 10px 8px;
}
.photos.wider { grid-template-columns: repeat(auto-fill, minmax(92px, 1fr)); }
.look > svg, .mosaic > svg { display: block; width: 100%; height: auto; border-radius: 4px; }
.mosaic { max-width: 260px; }
.look p, .photo p { margin: 3px 0 0; font-size: 11px; line-height: 14px; color: var(--soft); }
.photo img { display: block; width: 100%; height: auto; border-radius: 4px; }
.photo span { display: block; }
.photo .wrong { color: var(--warn-ink); font-weight: 600; }
img, image { image-rendering: pixelated; }
.around { fill: #262b33; }
.gaps { stroke: var(--paper); stroke-width: 0.35; }
.outline, .points, .taps, .regular { fill: none; stroke-linecap: round; }
.outline { stroke: #000000; stroke-width: 0.85; }
.points { stroke: #ff5c7a; stroke-width: 0.55; }
.taps { stroke: #35d0ff; stroke-width: 0.65; }
.regular { stroke: #ffe14d; stroke-width: 0.5; }
.output { fill: none; stroke: #ffe14d; stroke-width: 0.25; }
.key { display: inline-block; margin-right: 16px; }
.key i {
  display: inline-block; width: 10px; height: 10px; border-radius: 5px; margin-right: 6px;
  border: 1.5px solid #000000;
}
.key .points { background: #ff5c7a; } .key .taps { background: #35d0ff; }
.key .regular { background: #ffe14d; }
.off { display: none; }
tr.off { display: table-row; opacity: 0.45; }

#tip {
  position: fixed; z-index: 9; pointer-events: none; visibility: hidden;
  max-width: min(440px, 94vw); padding: 8px 12px; border: 1px solid var(--rule); border-radius: 8px;
  background: var(--paper); box-shadow: 0 4px 16px rgb(0 0 0 / 0.25);
  font-size: 13px; line-height: 1.5; font-variant-numeric: tabular-nums;
}
#tip b { display: block; }
#tip i {
  display: inline-block; width: 9px; height: 9px; margin-right: 8px; border-radius: 50%;
  border: 2px solid var(--hue); background: var(--hue);
}
#tip i.twin { background: none; }

@media (max-width: 640px) {
  main { padding: 24px 16px 48px; }
  h1 { font-size: 25px; }
  h2 { font-size: 20px; margin-top: 44px; }
  .lead { font-size: 16px; }
  .wide { display: none; }
  .narrow { display: block; }
  .scroll { margin-left: -16px; margin-right: -16px; border-width: 1px 0; border-radius: 0; }
  tbody th { white-space: normal; min-width: 128px; }
  tbody .swatch { display: none; }
  th.system { border-right: 1px solid var(--rule); }
  .legend button { padding: 6px 12px 6px 8px; }
  .layers { grid-template-columns: 1fr; }
}
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  .note, .legend { break-after: avoid; break-inside: avoid; }
  figure, tr, li, dl { break-inside: avoid; }
  .grid.two { grid-template-columns: repeat(2, 1fr); }
  .grid.three { grid-template-columns: repeat(3, 1fr); gap: 16px; }
  .photos.wider { grid-template-columns: repeat(12, 1fr); }
  .scroll { overflow: visible; border: 0; }
  table { font-size: 8.5pt; }
  thead th { font-size: 8pt; }
  th, td { padding: 4px 5px; }
  .legend button { border: 0; padding: 0 10px 0 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace drape
