"""report.html in a real browser: nothing fails, lists are filtered and sorted, and it fits a phone. Needs chromium."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
from browser import DESK, PHONE, SCHEMES, look, needs_browser, require_sound

if TYPE_CHECKING:
    from conftest import Evaluated

# What a person would do, and what they would see then.
ACT = """<script>
const choose = document.getElementById("choose"), find = document.getElementById("find");
const more = document.getElementById("more"), queries = document.getElementById("queries");
const set = (form, name, value) => {
  form.elements[name].value = value;
  form.dispatchEvent(new Event("input"));
};
const cards = () => [...document.querySelectorAll("#lists .card")].filter((card) => card.checkVisibility());
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
choose.reset();
setTimeout(() => { seen.again = cards().length; }, 0);
set(find, "words", "");
const one = document.getElementById("one"), names = column(0);
const part = (name) => one.querySelector(`[data-at="${name}"]`);
const ready = () => new Promise((done) => new MutationObserver((_, observer) => {
  if (one.dataset.ready) { observer.disconnect(); done(); }
}).observe(one, { attributes: true }));
const shown = async (act) => {
  const waiting = ready();
  act();
  await waiting;
  return { heading: part("heading").textContent,
    count: part("count").textContent, name: one.querySelector(".asked .name").textContent, ap: part("ap").textContent,
    tags: [...one.querySelectorAll(".tag")].map((tag) => tag.textContent),
    titles: [...one.querySelectorAll(".tile[title]")].map((tile) => tile.title),
    thumbs: [...one.querySelectorAll(".thumb")].filter((thumb) => thumb.checkVisibility() &&
      thumb.style.backgroundImage.includes("lists/")).length,
    wide: [one.scrollWidth, one.clientWidth], address: location.hash };
};
const whole = (async () => {
  seen.lists = [await shown(() => queries.tBodies[0].rows[2].cells[0].querySelector("button").click())];
  seen.lists.push(await shown(() => part("after").click()));
  seen.lists.push(await shown(() => one.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }))));
  part("close").click();
  seen.names = names;
  seen.closed = !one.open;
})();
</script>"""


@pytest.fixture(scope="module", params=SCHEMES)
def seen(
    request: pytest.FixtureRequest, evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Width of the window -> what was seen there; "scheme" -> light or dark."""
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(evaluated.path.parent / "lists", folder / "lists")
    return look(folder, evaluated.path.read_text(encoding="utf-8"), request.param, ACT)


@needs_browser
def test_the_page_is_sound(seen: dict[str, Any]) -> None:
    require_sound(seen)


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
    found, cmc = seen[str(DESK)], evaluated.report.cmc
    for rank, key in ((1, "first_value"), (2, "second_value")):
        assert found[key].startswith(f"rank {rank}: global {100 * cmc['global'][rank - 1]:.1f} · global+local")


@needs_browser
def test_any_query_opens_its_lists(seen: dict[str, Any], evaluated: Evaluated) -> None:
    found = evaluated.scores
    numbers = {str(name): number for number, name in enumerate(found.query.name)}
    for width in (PHONE, DESK):
        opened, names = seen[str(width)]["lists"], seen[str(width)]["names"]
        assert [one["name"] for one in opened] == [names[2], names[3], names[2]] and seen[str(width)]["closed"]
        assert [one["count"] for one in opened] == [f"{place} of {len(found.query)}" for place in (3, 4, 3)]
        for one in opened:
            number = numbers[one["name"]]
            precision = 100 * found.metrics["sorn"].ap[0, number]
            assert one["heading"] == f"Person {found.query.pid[number]}, camera {found.query.camid[number]}"
            assert float(one["ap"].split()[1]) == pytest.approx(precision, abs=0.06)
            first = found.answers["sorn"].answers
            similarity, positions = first.similarity[number], first.positions[number]
            right = np.isin(positions, found.relevant.matches[number])
            for tag, value, good in zip(one["tags"][:5], similarity, right, strict=True):
                _, sign, said = tag.split()
                assert sign == "✗✓"[int(good)] and float(said.replace("−", "-")) == pytest.approx(value, abs=0.006)
            assert [str(found.gallery.name[place]) for place in positions] == [
                title.split(" · ")[1] for title in one["titles"][:5]
            ]
            assert one["thumbs"] == 1 + len(one["tags"]) >= 11
            assert one["wide"][0] <= one["wide"][1]
            assert one["address"] == "#query=" + quote(one["name"], safe="!'()*~")
