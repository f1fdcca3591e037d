"""The labels page in a real browser: filters, order, keys, marks, and few elements for many images. Needs chromium."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from browser import DESK, PHONE, SCHEMES, look, needs_browser, require_sound
from label_runs import sample, write_labels

from pipeline.reports.labels.page import LabelsPageOptions, write_labels_page
from pipeline.runs.layout import Paths
from sorn.parts import FOOT, HEAD
from sorn.sample import Status

COUNT = 400
HOSTILE = "train/000<script>broken()</script>\"onerror='broken()', x.jpg"

# What a person would do, and what they would see then. Marks of the other window are forgotten first.
ACT = """<script>
const kept_before = [...table.marks.keys()].length;
localStorage.clear();
table.marks.clear();
const at = (id) => document.getElementById(id), filters = at("filters"), grid = at("grid");
const set = (element, value) => {
  element.value = value;
  element.dispatchEvent(new Event("input", { bubbles: true }));
};
const filter = (name, value) => { set(filters.elements[name], value); return at("count").textContent; };
const filtered = (name, value) => {
  const said = filter(name, value);
  filter(name, "");
  return said;
};
const press = (key, target = document.activeElement) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const active = () => document.getElementById(grid.getAttribute("aria-activedescendant")).title;
const seen = { kept_before, said: at("count").textContent, focused: document.activeElement.id };
seen.tiles = document.querySelectorAll(".tile").length;
seen.labels = [...document.querySelectorAll("input, select, button")].filter((one) =>
  !one.labels?.length && !one.textContent.trim() && !one.ariaLabel).map((one) => one.outerHTML);
seen.words = filtered("words", "<SCRIPT>");
seen.status = filtered("status", "1");
seen.least = filtered("least", "50");
seen.most = filtered("most", "12.5");
seen.person = filtered("person", "7");
seen.camera = filtered("camera", "1");
seen.iou = filtered("iou", "99");
seen.differ = filtered("differ", "1");
seen.layer = filter("layer", "1"); seen.layer_status = filtered("status", "1"); filter("layer", "0");
const foot = document.querySelector('[aria-label="foot: any"]');
foot.click(); seen.shown = [at("count").textContent, foot.ariaLabel];
foot.click(); seen.missing = [at("count").textContent, foot.ariaLabel];
foot.click(); seen.any = [at("count").textContent, foot.ariaLabel];
filter("words", "nothing has this name");
seen.none = [at("count").textContent, document.querySelectorAll(".tile").length];
press(" ", grid); press("Enter", grid); seen.marked_nothing = table.marks.size;
filter("words", "");
set(at("order"), "foreground"); seen.first_by_foreground = document.getElementById("tile0").title;
set(at("order"), "iou"); seen.first_by_iou = document.getElementById("tile0").title;
set(at("order"), "name");
grid.focus();
press("Home"); seen.first = active();
press("End"); seen.last = active(); seen.tiles_at_the_end = document.querySelectorAll(".tile").length;
press("Home"); press("ArrowRight"); seen.second = active();
press(" "); seen.marked = [at("marked").textContent, document.getElementById("tile1").getAttribute("aria-selected")];
press("ArrowRight"); press("3"); press("ArrowRight"); press(" "); press(" ");
press("Home"); press("6");
seen.csv = table.csv();
seen.only_marked = filtered("marked", "1");
seen.stored = JSON.parse(localStorage.getItem(LABELS.key)).length;
press("Enter"); seen.opened = [at("one").open, at("name").textContent, document.activeElement.id];
press("ArrowRight"); seen.next = at("name").textContent;
press("]"); seen.cut = at("slide").value;
seen.facts = at("facts").textContent;
at("close").click();
press("?", grid); seen.help = at("help").open; at("help").close();
press("/", grid); seen.slash = document.activeElement.name;
press("Escape"); seen.back = document.activeElement.id;
const marks = '\\ufeffpath,reason\\r\\ntrain/005.jpg,"a ""b"", c"\\ntrain/gone.jpg,x\\n';
seen.loaded = [table.load(marks), table.load("name\\nx\\n")];
seen.reason = [...table.marks].find(([number]) => LABELS.names[number] === "train/005.jpg")[1];
let blob; URL.createObjectURL = (made) => { blob = made; return "#"; };
at("download").click(); seen.download = [blob.type, blob.size];
</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Image i has i of 400 / 96 rows of a part in one run; of the other run only 001 and 002 differ."""
    folder = tmp_path_factory.mktemp("labels")
    paths = Paths("mine", "danet", folder / "data", folder / "runs")
    names = [HOSTILE, *(f"train/{number:03d}.jpg" for number in range(1, COUNT))]
    samples = [
        sample(
            name, number * 96 // COUNT, Status.OK, pid=number // 10, camid=number % 4, part=FOOT if number % 5 else HEAD
        )
        for number, name in enumerate(names)
    ]
    samples[1] = dataclasses.replace(samples[1], status=Status.EMPTY)
    other = dataclasses.replace(paths, labeler="import")
    changed = [dataclasses.replace(one, mask=one.mask * 0 + FOOT) for one in samples[1:3]]
    write_labels(other, [samples[0], *changed, *samples[3:]])
    write_labels(paths, samples)
    options = LabelsPageOptions(workers=1)
    return write_labels_page([paths.run_name, other.run_name], paths.runs, paths.data_root, options).parent


@pytest.fixture(scope="module", params=SCHEMES)
def seen(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    """Width of the window -> what was seen there; "scheme" -> light or dark."""
    return look(folder, (folder / "index.html").read_text(encoding="utf-8"), request.param, ACT)


@needs_browser
def test_the_page_is_sound(seen: dict[str, Any]) -> None:
    require_sound(seen)
    assert seen[str(DESK)]["labels"] == [], "every control has a name for screen readers"


@needs_browser
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_only_the_thumbnails_on_the_screen_are_in_the_document(seen: dict[str, Any], width: int) -> None:
    found = seen[str(width)]
    assert found["said"] == f"{COUNT} of {COUNT} images" and found["focused"] == "grid"
    assert 0 < found["tiles"] < COUNT / 2 and 0 < found["tiles_at_the_end"] < COUNT / 2
    assert (found["first"], found["last"]) == (HOSTILE, f"train/{COUNT - 1}.jpg")


@needs_browser
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_images_are_filtered(seen: dict[str, Any], width: int) -> None:
    found = seen[str(width)]
    counts = {name: int(found[name].split()[0]) for name in ("words", "status", "least", "most", "person", "camera")}
    assert counts == {"words": 1, "status": 1, "least": 200, "most": 55, "person": 10, "camera": 100}
    assert [found[name].split()[0] for name in ("iou", "differ", "layer", "layer_status")] == ["2", "2", "400", "1"]
    shown = sum(number * 96 // COUNT > 0 and number % 5 > 0 for number in range(COUNT))
    assert found["shown"] == [f"{shown} of {COUNT} images", "foot: shown"]
    assert found["missing"] == [f"{COUNT - shown} of {COUNT} images", "foot: missing"]
    assert found["any"] == [f"{COUNT} of {COUNT} images", "foot: any"]
    assert found["none"] == [f"0 of {COUNT} images", 0] and found["marked_nothing"] == 0
    assert (found["first_by_foreground"], found["first_by_iou"]) == (HOSTILE, "train/001.jpg")


@needs_browser
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_keys_move_mark_and_open(seen: dict[str, Any], width: int) -> None:
    found = seen[str(width)]
    assert found["second"] == "train/001.jpg" and found["marked"] == ["1 marked", "true"]
    quoted = HOSTILE.replace('"', '""')
    lines = ["path,reason", f'"{quoted}",poor picture', "train/001.jpg,outline", "train/002.jpg,another person", ""]
    assert found["csv"] == "\n".join(lines)
    assert found["only_marked"] == f"3 of {COUNT} images" and found["stored"] == 3
    assert found["opened"] == [True, HOSTILE, "stage"] and found["next"] == "train/001.jpg" and found["cut"] == "55"
    assert "danetempty; foreground 0.0 %; no partimportempty; foreground 100 %; foot" in found["facts"]
    assert (found["help"], found["slash"], found["back"]) == (True, "words", "grid")


@needs_browser
def test_marks_are_loaded_saved_and_kept(seen: dict[str, Any], folder: Path) -> None:
    found = seen[str(DESK)]
    assert found["loaded"] == [1, None] and found["reason"] == 'a "b", c'
    assert found["download"][0] == "text/csv" and found["download"][1] > len(found["csv"])
    again = look(folder, (folder / "index.html").read_text(encoding="utf-8"), "light", ACT)
    assert again[str(PHONE)]["kept_before"] == 3
