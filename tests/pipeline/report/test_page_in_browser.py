"""report.html in a real browser: nothing fails, lists are filtered and sorted, and it fits a phone. Needs chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Evaluated

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

# After the page's own script: what a person would do, and what they would see then.
ACT = """<script>
const choose = document.getElementById("choose"), find = document.getElementById("find");
const more = document.getElementById("more"), queries = document.getElementById("queries");
const set = (form, name, value) => {
  form.elements[name].value = value;
  form.dispatchEvent(new Event("input"));
};
const cards = () => [...document.querySelectorAll(".card")].filter((card) => card.checkVisibility());
const column = (number) => [...queries.tBodies[0].rows].map((row) => row.cells[number].textContent);
const sort = (number) => queries.tHead.rows[0].cells[number].querySelector("button").click();
const seen = { cards: cards().length, said: choose.querySelector("output").textContent };
set(choose, "kind", "worst");
seen.kinds = cards().map((card) => card.dataset.kinds);
set(choose, "kind", "");
set(choose, "first", "wrong");
seen.firsts = cards().map((card) => card.querySelector(".tag").textContent);
set(choose, "first", "");
set(choose, "words", " <SCRIPT>");
seen.named = cards().map((card) => card.querySelector(".name").textContent);
set(choose, "words", "");
set(choose, "order", "rising");
seen.rising = cards().map((card) => Number(card.dataset.ap));
set(choose, "order", "falling");
seen.falling = cards().map((card) => Number(card.dataset.ap));
seen.first_rows = column(0).length;
more.click();
seen.all_rows = column(0).length;
seen.more = more.checkVisibility();
sort(5);
seen.ascending = column(5);
sort(5);
seen.descending = column(5);
seen.sorted = queries.tHead.rows[0].cells[5].getAttribute("aria-sort");
set(find, "words", "<script>");
seen.found = column(0);
const chart = document.querySelector("figure.chart");
seen.first_value = chart.querySelector("output").textContent;
chart.querySelector("svg").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
seen.second_value = chart.querySelector("output").textContent;
seen.widths = [document.documentElement.scrollWidth, innerWidth];
seen.colours = [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor];
choose.reset();
setTimeout(() => {
  seen.again = cards().length;
  seen.failures = failures;
  parent.postMessage([innerWidth, seen], "*");
}, 0);
</script>"""

# The browser's own window may not be as narrow as a phone, a frame may.
FRAMES = """<!doctype html><body><script>
const found = {};
addEventListener("message", (event) => {
  found[event.data[0]] = event.data[1];
  document.getElementById("found").textContent = JSON.stringify(found);
});
</script><pre id="found"></pre>"""


@pytest.fixture(scope="module", params=SCHEMES)
def seen(
    request: pytest.FixtureRequest, evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Width of the window -> what was seen there; "scheme" -> light or dark."""
    folder = tmp_path_factory.mktemp("browser")
    page = evaluated.path.read_text(encoding="utf-8")
    (folder / "page.html").write_text(page.replace("<head>", f"<head>{WATCH}").replace("</body>", f"{ACT}</body>"))
    frames = "".join(f'<iframe src="page.html" width="{width}" height="800"></iframe>' for width in (PHONE, DESK))
    (folder / "frames.html").write_text(FRAMES + frames)
    options = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=10000"),
        *("--window-size=1800,900", f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr"),
        f"--blink-settings=preferredColorScheme={SCHEMES[request.param]}",
    ]
    address = (folder / "frames.html").as_uri()
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, *options, "--dump-dom", address], capture_output=True, text=True, timeout=120, check=True
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None and found[1], done.stderr
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return {**json.loads(html.unescape(found[1])), "scheme": request.param, "complaints": complaints}


@needs_browser
def test_nothing_fails_and_no_name_is_obeyed(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []
    for width in (PHONE, DESK):
        assert seen[str(width)]["failures"] == []


@needs_browser
def test_fits_the_window(seen: dict[str, Any]) -> None:
    for width in (PHONE, DESK):
        wanted, there = seen[str(width)]["widths"]
        assert there == width and wanted <= there


@needs_browser
def test_lists_are_chosen_and_sorted(seen: dict[str, Any], evaluated: Evaluated) -> None:
    shown, found = evaluated.shown, seen[str(PHONE)]
    assert (
        found["cards"] == found["again"] == len(shown)
        and found["said"] == f"{len(shown)} of {len(shown)} queries shown"
    )
    assert len(found["kinds"]) == sum("worst" in query.kinds for query in shown) > 0
    assert all("worst" in kinds for kinds in found["kinds"])
    assert len(found["firsts"]) == sum(not query.lists[0].answers[0].right for query in shown) > 0
    assert all("✗" in tag for tag in found["firsts"])
    assert found["named"] == [query.name for query in shown if "<script>" in query.name]
    assert found["rising"] == sorted(found["rising"]) == found["falling"][::-1]
    assert len(set(found["rising"])) > 2


@needs_browser
def test_all_queries_come_a_piece_at_a_time_and_are_sorted(seen: dict[str, Any], evaluated: Evaluated) -> None:
    found = seen[str(DESK)]
    assert found["first_rows"] == 200 and found["all_rows"] == len(evaluated.scores.query) == 300
    assert found["more"] is False and found["sorted"] == "descending"
    rising, falling = ([float(value) for value in found[key]] for key in ("ascending", "descending"))
    assert len(rising) == len(falling) == 200
    assert rising == sorted(rising) and falling == sorted(falling, reverse=True) and rising[0] < falling[0]
    assert found["found"] == [str(name) for name in evaluated.scores.query.name if "<script>" in name]


@needs_browser
def test_arrow_keys_read_the_curve(seen: dict[str, Any], evaluated: Evaluated) -> None:
    found, cmc = seen[str(DESK)], evaluated.report["cmc"]
    for rank, key in ((1, "first_value"), (2, "second_value")):
        assert found[key].startswith(f"rank {rank}: global {100 * cmc['global'][rank - 1]:.1f} · global+local")


@needs_browser
def test_text_is_light_on_dark_or_dark_on_light(seen: dict[str, Any]) -> None:
    ink, paper = (_luminance(colour) for colour in seen[str(DESK)]["colours"])
    assert (ink > paper) == (seen["scheme"] == "dark")
    assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 7  # contrast as WCAG defines it, level AAA


def _luminance(colour: str) -> float:
    """Of "rgb(r, g, b)", as WCAG defines it."""
    shares = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
