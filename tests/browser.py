"""A page of ours in a real browser: what goes wrong in it, and whether it fits. Needs chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium here: apt-get install chromium")

PHONE, DESK = 390, 1280
SCHEMES = {"dark": 0, "light": 1}  # as chromium numbers them

# Before anything else of the page: what goes wrong. A name that is obeyed calls broken() or loads a picture called x.
WATCH = """<script>
const failures = [];
addEventListener("error", (event) => failures.push(event.message || `${event.target.tagName} failed to load`), true);
const broken = () => failures.push("a name was obeyed");
</script>"""

# After the page's own script: tell the frame around it what was seen.
TELL = """<script>
setTimeout(async () => {
  if (typeof whole !== "undefined") await whole;
  const colours = getComputedStyle(document.body);
  const basics = { widths: [document.documentElement.scrollWidth, innerWidth], failures,
    colours: [colours.color, colours.backgroundColor] };
  parent.postMessage([innerWidth, Object.assign(basics, typeof seen === "undefined" ? {} : seen)], "*");
}, 0);
</script>"""

# The browser's own window may not be as narrow as a phone, a frame may. The frames come one after another: two that
# load together take the focus from each other.
FRAMES = """<!doctype html><body onload="next()"><script>
const found = {}, widths = WIDTHS;
addEventListener("message", (event) => {
  found[event.data[0]] = event.data[1];
  document.getElementById("found").textContent = JSON.stringify(found);
  next();
});
const next = () => {
  const frame = document.createElement("iframe"), src = "page.html", height = 800;
  if (widths.length) document.body.append(Object.assign(frame, { src, height, width: widths.shift() }));
};
</script><pre id="found"></pre>"""


def look(folder: Path, page: str, scheme: str, act: str = "") -> dict[str, Any]:
    """Width of the window -> what was seen there: widths (wanted, there), failures, colours (ink, paper), and what the
    script `act` puts into an object `seen`, which is complete when its promise `whole` is, if it has one. "scheme" ->
    scheme; "complaints" -> lines of the console.
    """
    (folder / "page.html").write_text(
        page.replace("<head>", f"<head>{WATCH}").replace("</body>", f"{act}{TELL}</body>")
    )
    (folder / "frames.html").write_text(FRAMES.replace("WIDTHS", json.dumps([PHONE, DESK]), 1))
    options = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=10000"),
        *("--window-size=1800,900", f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr"),
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
    ]
    assert BROWSER is not None
    address = (folder / "frames.html").as_uri()
    done = subprocess.run(
        [BROWSER, *options, "--dump-dom", address], capture_output=True, text=True, timeout=120, check=True
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None and found[1], done.stderr
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return {**json.loads(html.unescape(found[1])), "scheme": scheme, "complaints": complaints}


def require_sound(seen: dict[str, Any]) -> None:
    """Nothing failed, no name was obeyed, nothing is wider than the window, and text can be read."""
    assert seen["complaints"] == []
    for width in (PHONE, DESK):
        assert seen[str(width)]["failures"] == []
        wanted, there = seen[str(width)]["widths"]
        assert there == width and wanted <= there
    ink, paper = (_luminance(colour) for colour in seen[str(DESK)]["colours"])
    assert (ink > paper) == (seen["scheme"] == "dark")
    assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 7  # contrast as WCAG defines it, level AAA


def _luminance(colour: str) -> float:
    """Of "rgb(r, g, b)", as WCAG defines it."""
    shares = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
