"""Plug-ins by name, entry point and class path: which is meant, and what is refused before any work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from plugin_package import LABELER, write_package

from pipeline import labelers
from pipeline.cli.app import main
from pipeline.datasets.manifest import Manifest
from pipeline.errors import UserError
from pipeline.labelers import keypoints, listing, registry
from pipeline.labelers.base import Source
from pipeline.runs.find import find_trained
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.tools.doctor import doctor


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(Manifest("mine", "Mine"), tmp_path)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path of modules. What is imported from it is forgotten after the test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def changed(old: str, new: str) -> str:
    assert old in LABELER, old
    return LABELER.replace(old, new)


def test_a_class_is_named_by_its_path(site: Path, source: Source) -> None:
    (site / "parts.py").write_text(LABELER)
    labeler = labelers.create("parts:Mine", {}, source)
    described = labeler.describe()
    assert (described["name"], described["version"], described["options"]) == ("parts:Mine", 1, {})
    assert described["plugin"]["class"] == "parts:Mine" and described["plugin"]["package"] is None
    (site / "others.py").write_text(changed("2, np", "3, np"))
    assert labelers.create("others:Mine", {}, source).describe()["plugin"]["source"] != described["plugin"]["source"]
    (site / "handed_on.py").write_text("from parts import Mine\n")
    handed_on = labelers.create("handed_on:Mine", {}, source).describe()["plugin"]
    assert handed_on["source"] == described["plugin"]["source"], "the file of the class counts"


def test_an_entry_point_has_a_name_and_the_version_of_its_package(site: Path, source: Source) -> None:
    write_package(site, "my-parts", {"sorn.labelers": {"mine": "parts:Mine"}}, {"parts.py": LABELER}, "1.2")
    assert "mine" in registry.names(registry.LABELER)
    labelers.require_known("mine")
    assert "parts" not in sys.modules, "a list of names imports nothing"
    described = labelers.create("mine", {}, source).describe()
    assert described["name"] == "mine" and described["plugin"]["package"] == "my-parts 1.2"


def test_status_without_plugins_never_looks_for_entry_points() -> None:
    code = (
        "import importlib.metadata as m; m.entry_points = None; from pipeline import labelers;"
        "labelers.require_known('import'); labelers.create('none', {}, None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


SUBCLASS = changed("class Mine:", "from pipeline.labelers.base import Labeler\nclass Mine(Labeler):")
ABSTRACT = changed("class Mine:", "import abc\nclass Mine(abc.ABC):")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "raise ImportError('no GPU\\nat all')",
            r"cannot be imported: .* ImportError: no GPU \(parts\.py, line 1\)",
        ),
        ("import numpee", r"module parts raises ModuleNotFoundError: No module named 'numpee'"),
        ("import sys; sys.exit(3)", r"module parts raises SystemExit: 3"),
        ("def broken(:", r"module parts raises SyntaxError"),
        ("Mine = 3", r"parts\.py has 'Mine', which is no class"),
        ("class Mime: pass", r"parts\.py has no class 'Mine'\. Name a class of it, e\.g\. LABELER=parts:Mime"),
        (
            changed("label(self", "labels(self"),
            r"Mine in .*parts\.py has no method label\(self, records, images\)",
        ),
        (
            changed("label(self, records,", "label(self,"),
            r"has the method label\(self, images\), which cannot be",
        ),
        (changed("def inputs(self, records)", "inputs = 3\n    def other(self)"), r"has 'inputs', but it is no method"),
        (changed("(self, options, source)", "(self)"), r"is made with \(\), not with \(options, source\)"),
        (changed("version = 1", "version = '1'"), r"has version = '1', which is not int"),
        (changed('name = "mine"', ""), r"has no attribute name \(str\)"),
        (SUBCLASS.replace("def label(", "def other("), r"has no method label"),
        (ABSTRACT.replace("def label(", "@abc.abstractmethod\n    def label("), r"leaves abstract: label"),
    ],
)
def test_a_class_that_is_no_labeler_is_refused(site: Path, source: Source, text: str, message: str) -> None:
    (site / "parts.py").write_text(text)
    with pytest.raises(UserError, match=f"labeler parts:Mine.*{message}"):
        labelers.create("parts:Mine", {}, source)


def test_methods_may_be_static_and_have_more_parameters(site: Path, source: Source) -> None:
    text = changed("def inputs(self, records)", "@staticmethod\n    def inputs(records)")
    (site / "parts.py").write_text(text.replace("(self, records, images)", "(self, *batch, flip=False, images=None)"))
    assert labelers.create("parts:Mine", {}, source).inputs([]) == {}


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        ({"size": 3}, LABELER, r"labeler mine: unknown key 'masks\.options\.size'\. Known: none\."),
        ({}, changed("self.options = ", "1 / 0  #"), r"Mine raises ZeroDivisionError: .* \(parts\.py, line 15\) when"),
        ({"size": 3}, changed("self.options = ", "options['size']['wide']  #"), r"raises TypeError"),
    ],
)
def test_options_that_it_does_not_know(
    site: Path, source: Source, options: dict[str, Any], text: str, message: str
) -> None:
    (site / "parts.py").write_text(text)
    with pytest.raises(UserError, match=message):
        labelers.create("parts:Mine", options, source)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.parts:Mine", r"there is no module 'nowhere' in this environment\. Install its package.*PYTHONPATH"),
        ("json.nowhere:Mine", r"there is no module 'json\.nowhere'"),
        ("parts:", "'parts:' is not of the form package.module:Class"),
        ("../parts:Mine", "is not of the form package.module:Class"),
        ("parts:Mine:more", "is not of the form package.module:Class"),
        ("__main__:Mine", r"lies in the program that runs, .*\. Move .*LABELER=mymodule:Mine"),
        ("my.parts.Mine", r"unknown labeler 'my\.parts\.Mine'; .*Choose one: LABELER=my\.parts:Mine, or"),
        ("dense_pose", r"unknown labeler 'dense_pose'; known: blazepose, danet.*Choose one: LABELER=densepose"),
    ],
)
def test_names_that_lead_nowhere(source: Source, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        labelers.create(name, {}, source)


def test_entry_points_that_nobody_can_name(site: Path, source: Source) -> None:
    group = "sorn.labelers"
    write_package(site, "first", {group: {"mine": "parts:Mine", "import": "parts:Mine", "a-b": "parts:Mine"}}, {})
    write_package(site, "second", {group: {"mine": "others:Mine", "flat": "parts"}}, {}, "2.0")
    for name, message in (
        ("mine", r"2 packages claim the labeler 'mine': first 1\.0 and second 2\.0\. Uninstall one of them"),
        ("a-b", r"the labeler 'a-b' of first 1\.0 has other signs .*or name the class: LABELER=parts:Mine"),
        ("flat", r"the entry point 'flat' of second 2\.0 is 'parts', not of the form package\.module:Class"),
    ):
        with pytest.raises(UserError, match=message):
            labelers.create(name, {}, source)
    assert type(labelers.create("import", {"folder": "x", "table": "sorn8"}, source)).__name__ == "ImportMasks"
    listed = {plugin.name: plugin for plugin in listing.list_outside(registry.LABELER)}
    assert "has the name of a built-in labeler" in listed["import"].wrong
    assert listed["mine"].package == "first 1.0 and second 2.0" and "2 packages claim" in listed["mine"].wrong


def test_lists_and_doctor_name_those_of_other_packages(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "import dataclasses\n@dataclasses.dataclass\nclass MineOptions:\n    size: int = 3\n"
    modules = {"parts.py": LABELER + options, "broken.py": "import numpee", "crash.py": "import os; os._exit(9)"}
    entries = {
        "sorn.labelers": {"mine": "parts:Mine", "torn": "broken:Mine"},
        "sorn.keypoints": {"joint": "parts:Mine"},
    }
    write_package(site, "my-parts", entries, modules)
    text = CliRunner().invoke(main, ["labelers"]).output
    assert "Labeler `mine` of my-parts 1.0: All torso.\n    size = 3\n" in text
    assert "Labeler `torn` of my-parts 1.0: cannot be used. labeler torn (broken:Mine of" in text
    assert "Keypoint finder `joint` of my-parts 1.0: cannot be used" in text and "has no method find" in text

    monkeypatch.setenv("PYTHONPATH", str(site))
    write_package(site, "worse", {"sorn.labelers": {"crash": "crash:Mine"}}, {})
    with doctor.ThreadPoolExecutor(2) as pool:
        lines = {line.found.partition(" cannot")[0]: line for line in doctor._plugins(pool)}
    good = lines["labeler mine of my-parts 1.0 loads: All torso."]
    assert good.level == "ok"
    assert lines["labeler torn"].level == "warning" and "numpee" in lines["labeler torn"].found
    assert "Python ended with code 9" in lines["labeler crash"].found and lines["labeler crash"].remedy
    assert "has no method find" in lines["keypoint finder joint"].found


def test_a_keypoint_finder_from_outside(site: Path, source: Source) -> None:
    finder = changed("def label(", "def find(").replace("labeled(np.full(image.shape[:2], 2, np.uint8))", "KEYPOINTS")
    (site / "found.py").write_text(finder + "\n\nKEYPOINTS = np.full((17, 3), 0.5, np.float32)\n")
    made = keypoints.create("found:Mine", {}, source)
    assert made is not None and made.describe()["plugin"]["class"] == "found:Mine"
    with pytest.raises(UserError, match=r"keypoint finder parts:Mine: .*has no method find"):
        (site / "parts.py").write_text(LABELER)
        keypoints.create("parts:Mine", {}, source)
    assert np.array_equal(made.find([], []), [])


def test_a_run_leads_back_to_its_labeler(site: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    paths = Paths("market1501", "my.parts:Mine", tmp_path, runs)
    assert paths.run_name == "market1501-my.parts.Mine"
    paths.folder("train").mkdir(parents=True)
    paths.folder("masks").mkdir()
    paths.stamp("train").write_text("{}")
    for given in ("market1501-my.parts.Mine", "market1501"):
        assert find_trained(given, runs).full_name == "market1501-my.parts.Mine"
    found = Run.find("market1501-my.parts.Mine", runs, tmp_path).paths
    assert found.labeler == "my.parts:Mine" and found.folder("masks") == paths.folder("masks")
    (runs / "market1501-mine").mkdir()
    with pytest.raises(UserError, match="is no run"):
        Run.find("market1501-mine", runs, tmp_path)
    (runs / "market1501-mine/masks").mkdir()
    write_package(site, "my-parts", {"sorn.labelers": {"mine": "my.parts:Mine"}}, {})
    assert Run.find("market1501-mine", runs, tmp_path).paths.labeler == "mine"
