#!/usr/bin/env python3
"""Opens report.html in headless Chromium and checks what only a browser can tell: no error on the
console, nothing wider than a phone, buttons that switch systems, charts that tell their values,
text that can be read in light and dark, and pages to print.

  report_browser.py --compare build/release/bin/compare     a report of a short training run
  report_browser.py --page out/report.html [--shots DIR]    a report that is there; pictures of it

Before that, a page with planted mistakes must be found wrong."""

import argparse
import base64
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

PHONE = 390  # CSS pixels, of common telephones
DESKTOP = 1280
LEAST_CONTRAST = 4.5  # of text, WCAG 2.1, criterion 1.4.3

PLANTED = """<!DOCTYPE html><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<div class="legend"><button data-toggles="a" aria-pressed="true">a</button></div>
<p data-series="a" style="width:900px;color:#777;background:#888">wide</p>
<div class="chart"><svg aria-label="chart"><g class="mark"><circle r="9"/></g></svg></div>
<script>throw new Error('planted')</script>"""

# What sticks out of the page on the right, but for what a box of its own scrolls or cuts off.
STICKING_OUT = """(() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll('main *, p')].filter((e) =>
    !e.closest('.scroll') && !e.ownerSVGElement && e.getBoundingClientRect().right > width + 1);
  return {page: document.documentElement.scrollWidth - width,
          parts: wide.slice(0, 3).map((e) => e.tagName + '.' + e.getAttribute('class'))};
})()"""

# Presses every button twice; names those after which a part of the system has the wrong state.
UNSWITCHED = """(() => {
  const wrong = [];
  for (const button of document.querySelectorAll('.legend button')) {
    const name = button.dataset.toggles;
    for (const off of [true, false]) {
      button.click();
      const parts = [...document.querySelectorAll('[data-series="' + name + '"]')];
      const right = parts.length && parts.every((p) => p.classList.contains('off') === off &&
        (p.tagName === 'TR' || (getComputedStyle(p).display === 'none') === off));
      if (!right || button.getAttribute('aria-pressed') !== String(!off)) wrong.push(name);
    }
  }
  return wrong;
})()"""

# Points at a mark of every chart; names the charts that show no value then.
SILENT_CHARTS = """(() => {
  const silent = [];
  for (const svg of document.querySelectorAll('.chart > svg, .matrix > svg')) {
    const part = svg.querySelector('.mark, .cell');
    if (!part || !svg.getClientRects().length) continue;
    const box = part.getBoundingClientRect();
    part.dispatchEvent(new PointerEvent('pointermove', {bubbles: true,
      clientX: box.left + box.width / 2, clientY: box.top + box.height / 2}));
    const tip = document.querySelector('#tip');
    if (!tip || tip.style.visibility !== 'visible' || !/[0-9]/.test(tip.textContent))
      silent.push(svg.getAttribute('aria-label'));
    svg.dispatchEvent(new PointerEvent('pointerleave'));
  }
  return silent;
})()"""

# The lowest contrast of HTML text with what is behind it (SVG text lies on drawings).
LEAST_READABLE = """(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) =>
    v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  let worst = {ratio: 21, text: ''};
  const texts = 'h1, h2, h3, h4, p, li, td, th, figcaption, button, span';
  for (const e of document.querySelectorAll(texts)) {
    if (!e.textContent.trim() || !e.getClientRects().length) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = {ratio, text: e.textContent.trim().slice(0, 40)};
  }
  return worst;
})()"""

# Images whose data is no image, or that the content policy kept out.
BROKEN_IMAGES = "[...document.images].filter((i) => !i.complete || !i.naturalWidth).length"


class Browser:
    """Chromium, spoken to over its debugging pipe: JSON messages that end with a zero byte."""

    def __init__(self, program, profile):
        from_us, to_browser = os.pipe()
        from_browser, to_us = os.pipe()

        def connect():  # Chromium reads from 3 and writes to 4, which may be in use for the other
            apart = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (from_us, to_us)]
            os.dup2(apart[0], 3), os.dup2(apart[1], 4)

        self.process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
            ],
            preexec_fn=connect,
            close_fds=False,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us), os.close(to_us)
        self.input, self.output = os.fdopen(to_browser, "wb"), os.fdopen(from_browser, "rb")
        self.rest, self.last, self.session, self.events = b"", 0, None, []

    def close(self):
        self.call("Browser.close", of_page=False)
        self.process.wait(20)
        self.input.close(), self.output.close()

    def receive(self):
        while b"\0" not in self.rest:
            more = os.read(self.output.fileno(), 1 << 20)
            if not more:
                sys.exit("report_browser: expected an answer, got the end of the browser's output")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, of_page=True, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if of_page:
            message["sessionId"] = self.session
        self.input.write(json.dumps(message).encode() + b"\0")
        self.input.flush()
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    sys.exit(f"report_browser: {method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, event):
        while not any(e.get("method") == event for e in self.events):
            self.events.append(self.receive())

    def evaluate(self, script):
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def look(self, width, scheme="light", medium="screen"):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width == PHONE,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            media=medium,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def open(self, page):
        target = self.call("Target.createTarget", of_page=False, url="about:blank")["targetId"]
        self.session = self.call(
            "Target.attachToTarget", of_page=False, targetId=target, flatten=True
        )["sessionId"]
        self.events = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.wait_for("Page.loadEventFired")

    def errors(self):
        self.evaluate("0")  # what was said before has come now
        texts = []
        for event in self.events:
            details = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                texts.append(details["exceptionDetails"]["text"])
            elif event.get("method") == "Log.entryAdded" and details["entry"]["level"] == "error":
                texts.append(details["entry"]["text"])
            elif event.get("method") == "Runtime.consoleAPICalled" and details["type"] == "error":
                texts.append("console.error")
        return texts

    def shoot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        whole = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=whole)
        path.write_bytes(base64.b64decode(data["data"]))

    def print(self):
        self.look(DESKTOP, medium="print")
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])


def mistakes_of(browser, page):
    """What is wrong with the page, a line each."""
    browser.open(page)
    browser.look(DESKTOP)
    found = []
    for name in browser.evaluate(UNSWITCHED):
        found.append(f"buttons: expected one that switches {name} off and on, got another state")
    for width in (PHONE, DESKTOP):
        browser.look(width)
        for chart in browser.evaluate(SILENT_CHARTS):
            found.append(f"pointing: expected a value in '{chart}', got none")
        out = browser.evaluate(STICKING_OUT)
        if out["page"] > 0 or out["parts"]:
            found.append(f"width: expected nothing beyond {width} pixels, got {out}")
    for scheme, medium in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        browser.look(DESKTOP, scheme, medium)
        worst = browser.evaluate(LEAST_READABLE)
        if worst["ratio"] < LEAST_CONTRAST:
            found.append(
                f"{scheme}, {medium}: expected a contrast of {LEAST_CONTRAST}, "
                f"got {worst['ratio']:.2f} of '{worst['text']}'"
            )
    broken = browser.evaluate(BROKEN_IMAGES)
    if broken:
        found.append(f"images: expected all to be shown, got {broken} that are not")
    if not browser.print().startswith(b"%PDF"):
        found.append("print: expected a PDF, got something else")
    for text in browser.errors():
        found.append(f"console: expected no error, got '{text}'")
    return found


def make_report(compare, folder):
    subprocess.run(
        [
            compare,
            "--synthetic",
            "--systems",
            "standard,deformable,deformable_mixup",
            "--epochs",
            "2",
            "--limit",
            "240",
            "--threads",
            "1",
            "--quiet",
            "--out",
            str(folder),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder / "report.html"


def take_shots(browser, page, folder):
    folder.mkdir(parents=True, exist_ok=True)
    browser.open(page)
    for name, look in {"desktop": (DESKTOP,), "phone": (PHONE,), "dark": (DESKTOP, "dark")}.items():
        browser.look(*look)
        browser.shoot(folder / f"{name}.png")
    (folder / "print.pdf").write_bytes(browser.print())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--compare", help="the program that makes a report")
    parser.add_argument("--page", type=pathlib.Path, help="a report that is there")
    parser.add_argument("--shots", type=pathlib.Path, help="folder for pictures of it")
    options = parser.parse_args()
    if not (options.compare or options.page):
        parser.error("expected --compare or --page, got neither")
    programs = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    program = next(filter(None, programs), None)
    if not program:
        print("SKIPPED: no chromium here")
        return
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        page = options.page or make_report(options.compare, scratch / "out")
        planted = scratch / "planted.html"
        planted.write_text(PLANTED)
        browser = Browser(program, scratch / "profile")
        try:
            seen = {line.split(":")[0].split(",")[0] for line in mistakes_of(browser, planted)}
            expected = {"buttons", "pointing", "width", "light", "dark", "console"}
            if seen != expected:
                sys.exit(f"report_browser: expected the planted mistakes {expected}, got {seen}")
            found = mistakes_of(browser, page)
            if options.shots:
                take_shots(browser, page, options.shots)
        finally:
            browser.close()
    if found:
        sys.exit("\n".join(found))
    print(f"{page}: no mistake found")


if __name__ == "__main__":
    main()
