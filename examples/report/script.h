// The script that report.html carries inside itself.
#pragma once

#include <string_view>

namespace drape {

// Legend entries switch a system on and off everywhere. Pointing at a curve chart shows all values
// of the nearest epoch; pointing at anything else with a <title> shows that. Without the script the
// titles remain.
inline constexpr std::string_view kScript = R"js(
'use strict';
(() => {
  const tip = document.body.appendChild(document.createElement('div'));
  tip.id = 'tip';
  const hide = () => { tip.style.visibility = 'hidden'; };
  const show = (event, head, lines) => {
    tip.replaceChildren();
    if (head) tip.appendChild(document.createElement('b')).textContent = head;
    for (const [text, series] of lines) {
      const line = tip.appendChild(document.createElement('div'));
      if (series) line.appendChild(document.createElement('i')).className = series;
      line.append(text);
    }
    const box = tip.getBoundingClientRect(), gap = 14;
    const right = event.clientX + gap + box.width < innerWidth;
    const left = right ? event.clientX + gap : event.clientX - gap - box.width;
    const top = Math.min(event.clientY + gap, innerHeight - box.height - 4);
    tip.style.left = Math.max(4, left) + 'px';
    tip.style.top = Math.max(4, top) + 'px';
    tip.style.visibility = 'visible';
  };

  for (const button of document.querySelectorAll('.legend button')) {
    button.addEventListener('click', () => {
      const on = button.getAttribute('aria-pressed') !== 'true';
      const same = '[data-series="' + button.dataset.toggles + '"]';
      for (const part of document.querySelectorAll(same)) part.classList.toggle('off', !on);
      const twins = '[data-toggles="' + button.dataset.toggles + '"]';
      for (const twin of document.querySelectorAll(twins))
        twin.setAttribute('aria-pressed', String(on));
    });
  }

  const hints = new Map();
  for (const title of document.querySelectorAll('.mark > title, .cell > title')) {
    hints.set(title.parentNode, title.textContent);
    title.remove();
  }

  for (const svg of document.querySelectorAll('.chart > svg, .matrix > svg')) {
    const whole = svg.querySelector('title');
    svg.addEventListener('pointerenter', () => { if (whole) whole.remove(); }, {once: true});
    const marks = [...svg.querySelectorAll('.mark[data-epoch]')];
    const cursor = svg.querySelector('.cursor');
    const timed = svg.parentNode.classList.contains('timed');
    const nearest = (event) => {
      const screen = new DOMPoint(event.clientX, event.clientY);
      const at = screen.matrixTransform(svg.getScreenCTM().inverse());
      const shown = marks.filter((mark) => !mark.closest('.off'));
      if (!shown.length) return [];
      const distance = (mark) => Math.abs(mark.dataset.x - at.x);
      if (timed) {  // epochs of different systems end at different times: the nearest of each
        const nearer = (a, b) => distance(b) < distance(a) ? b : a;
        return [...new Set(shown.map((mark) => mark.parentNode))].map((series) =>
          shown.filter((mark) => mark.parentNode === series).reduce(nearer));
      }
      const least = Math.min(...shown.map(distance));
      return shown.filter((mark) => distance(mark) <= least + 0.01);
    };
    const leave = () => {
      hide();
      for (const mark of marks) mark.classList.remove('near');
      if (cursor) cursor.style.visibility = 'hidden';
    };
    const point = (event) => {
      leave();
      const own = event.target.closest('.mark:not([data-epoch]), .cell');
      if (own) return show(event, '', [[hints.get(own), '']]);
      const near = marks.length ? nearest(event) : [];
      if (!near.length) return;
      cursor.setAttribute('transform', 'translate(' + near[0].dataset.x + ' 0)');
      if (!timed) cursor.style.visibility = 'visible';
      for (const mark of near) mark.classList.add('near');
      near.sort((a, b) => parseFloat(b.dataset.value) - parseFloat(a.dataset.value));
      show(event, timed ? '' : 'Epoch ' + near[0].dataset.epoch,
           near.map(({dataset, parentNode: series}) =>
             [series.dataset.name + ': ' + dataset.value, series.getAttribute('class')]));
    };
    svg.addEventListener('pointermove', point);
    svg.addEventListener('pointerdown', point);
    svg.addEventListener('pointerleave', leave);
  }
  addEventListener('scroll', hide, {passive: true});
})();
)js";

}  // namespace drape
