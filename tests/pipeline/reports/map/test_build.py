"""The map of a finished evaluation: every image with its picture and person, in a browser too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import DESK, PHONE, SCHEMES, look, needs_browser, require_sound
from eval_runs import CONFIG, GALLERY, QUERY, SIZE, write_run
from random_banks import bank

from pipeline.errors import UserError
from pipeline.reports.map import build
from pipeline.reports.map.build import MapOptions, choose_images, write_map
from pipeline.reports.map.projection import PACKAGES, TITLES
from pipeline.runs import stamp
from pipeline.runs.inputs import as_stored
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import driver
from pipeline.stages import eval as stage

ACT = """<script>
const map = document.getElementById("map"), form = document.getElementById("find");
const frame = () => new Promise((done) => setTimeout(done, 50));
const at = (kind, x, y, more = {}) => map.dispatchEvent(new PointerEvent(kind, { pointerId: 1, bubbles: true,
  clientX: map.getBoundingClientRect().left + x, clientY: map.getBoundingClientRect().top + y, ...more }));
const seen = { said: form.querySelector("output").textContent };
const whole = (async () => {
  await frame();
  seen.drawn = map.dataset.drawn;
  form.elements.words.value = "3";
  form.dispatchEvent(new Event("input"));
  seen.found = form.querySelector("output").textContent;
  form.elements.words.value = "";
  form.dispatchEvent(new Event("input"));
  for (let i = 0; i < 12; i++) form.querySelector("[data-zoom]").click();
  await frame();
  seen.near = map.dataset.drawn;
  form.querySelector('[data-zoom="0"]').click();
  await frame();
  seen.again = map.dataset.drawn;
  for (let x = 0; x < map.clientWidth && !seen.chosen; x += 8) for (let y = 0; y < map.clientHeight; y += 8) {
    at("pointerdown", x, y);
    at("pointerup", x, y);
    if (form.querySelector("output").textContent.startsWith("person")) {
      seen.chosen = form.querySelector("output").textContent;
      break;
    }
  }
})();
</script>"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("map")
    paths = Paths("synped_demo", "none", folder / "data", folder / "runs", name="mine")
    write_run(paths, {"query": QUERY, "gallery": GALLERY})
    made = Run.of(CONFIG, paths)
    driver.work(stage, made, "fingerprint")  # type: ignore[arg-type]
    inputs = as_stored(stage.NAME, stage.inputs(made))
    stamp.write(paths.folder("eval"), "eval", stage.VERSION, inputs, {}, [paths.features], {})
    return made


@pytest.fixture(scope="module")
def page(finished: Run) -> Path:
    return write_map(finished, MapOptions("pca"))


def columns(page: Path) -> Any:
    return json.loads(re.findall(r'id="map-data">(.*?)</script>', page.read_text(encoding="utf-8"))[0])


def test_every_image_is_on_the_map(finished: Run, page: Path) -> None:
    found = columns(page)
    assert page == finished.paths.folder("eval") / "map.html"
    assert found["name"] == [item.name for item in (*QUERY, *GALLERY)]
    assert found["person"] == [str(item.pid) for item in (*QUERY, *GALLERY)]
    assert found["query"] == [1] * len(QUERY) + [0] * len(GALLERY)
    assert found["sheet"]["height"] == SIZE[0] and min(found["x"]) >= 0 and max(found["y"]) <= 1
    assert page.read_text(encoding="utf-8").count("data:image/jpeg;base64,") == -(-len(found["name"]) // 32)
    places = np.array([found["x"], found["y"]]).T
    assert len(np.unique(places, axis=0)) > 1


def test_the_method_that_was_used_is_told(finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal features have no map by t-SNE."""
    monkeypatch.setattr(build, "choose_method", lambda given: "tsne")
    monkeypatch.setattr(build, "_whole", lambda bank: np.ones((len(bank), 4), np.float32))
    page = write_map(finished, MapOptions("tsne", out=tmp_path / "map.html"))
    assert "onto a plane by PCA" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("method", PACKAGES)
def test_a_map_by_each_method(finished: Run, tmp_path: Path, method: str) -> None:
    pytest.importorskip(PACKAGES[method][0])
    page = write_map(finished, MapOptions(method, out=tmp_path / "map.html"))
    found = columns(page)
    assert f"onto a plane by {TITLES[method]}" in page.read_text(encoding="utf-8")
    assert len(found["x"]) == len(QUERY) + len(GALLERY) and np.isfinite([found["x"], found["y"]]).all()


def test_persons_are_whole_where_not_all_fit() -> None:
    query, gallery = bank(0, 40), bank(1, 100)
    asked, ranked = choose_images(query, gallery, 60, 0)
    assert 30 < len(asked) + len(ranked) <= 60
    persons = {*query.pid[asked].tolist(), *gallery.pid[ranked].tolist()}
    assert np.isin(query.pid, list(persons)).sum() == len(asked)
    assert np.isin(gallery.pid, list(persons)).sum() == len(ranked)
    everything = choose_images(query, gallery, 140, 0)
    assert [len(rows) for rows in everything] == [40, 100]
    again, other = choose_images(query, gallery, 60, 0), choose_images(query, gallery, 60, 1)
    assert again[1].tolist() == ranked.tolist() != other[1].tolist()


def test_wrong_options() -> None:
    for options in ({"by": "tsnee"}, {"images": 3}):
        with pytest.raises(UserError, match=r"expected one of|a map needs 4 or more"):
            MapOptions(**options)  # type: ignore[arg-type]


@needs_browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_map_in_a_browser(scheme: str, page: Path, tmp_path: Path) -> None:
    seen = look(tmp_path, page.read_text(encoding="utf-8"), scheme, ACT)
    require_sound(seen)
    count = len(QUERY) + len(GALLERY)
    for width in (PHONE, DESK):
        found = seen[str(width)]
        assert found["said"] == f"{count} images" and found["found"] == f"3 of {count} images"
        assert int(found["drawn"]) == int(found["again"]) == count > int(found["near"])
        assert re.match(r"person \d+, camera \d, \d images · (query|gallery)/", found["chosen"])
