"""docs/labelers.md: its labeler and its keypoint finder, installed as the page says, through every command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from plugin_package import write_package
from tiny_project import ROOT, TinyProject

PAGE = (ROOT / "docs" / "labelers.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
RUNS = ("tiny-bands", "tiny-sorn_bands.Bands")


class Shop:
    """A tiny dataset, and the page's package on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, folder / "site"
        self.project = TinyProject(folder / "images", people=3, images=4)
        about = tomllib.loads(FILES["pyproject.toml"])["project"]
        modules = {name: text for name, text in FILES.items() if name.endswith(".py")}
        write_package(self.site, about["name"], about["entry-points"], modules, about["version"])

    def sorn(self, *words: str, code: int = 0) -> str:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{self.site}{os.pathsep}{ROOT}"}
        command = [sys.executable, "-m", "pipeline", *words]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def on_tiny(self, *words: str, labeler: str = "bands", code: int = 0) -> str:
        """A command with the dataset, the labeler and the configuration."""
        dataset = ("--dataset", str(self.project.folder / "tiny.csv"), "--config", str(self.project.config))
        return self.sorn(*words, *dataset, "--labeler", labeler, "--device", "cpu", code=code)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """With masks by the entry point, and by the class in worker processes."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.on_tiny("data", "prepare")
    keypoints = ("--set", "masks.keypoints=upright", "--set", "masks.keypoint_options.confidence=0.75")
    shop.on_tiny("masks", *keypoints)
    shop.on_tiny("masks", "--backend", "loky", "--set", "masks.options.margin=0.0", labeler="sorn_bands:Bands")
    return shop


def states(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) +(fresh|stale)", text, re.MULTILINE))


def test_its_labeler_is_one_of_about_thirty_lines() -> None:
    assert set(FILES) == {"sorn_bands.py", "pyproject.toml", "sorn_upright.py"}
    code = [line for line in FILES["sorn_bands.py"].splitlines() if line.strip() and "import" not in line]
    assert len(code) <= 40


def test_masks_are_fresh_and_say_who_made_them(shop: Shop) -> None:
    keypoints = ("--set", "masks.pose=upright", "--set", "masks.pose_options.confidence=0.75")  # the old names
    assert states(shop.on_tiny("status", *keypoints))["masks"] == "fresh"
    assert "option pose" in shop.on_tiny("status")
    text = shop.on_tiny("status", "--set", "masks.options.margin=0.0", labeler="sorn_bands:Bands")
    assert states(text)["masks"] == "fresh" and "runs/tiny-sorn_bands.Bands/masks" in text
    assert states(shop.on_tiny("status", labeler="sorn_bands:Bands"))["masks"] == "stale"
    index = json.loads((shop.folder / "runs" / "tiny-bands" / "masks" / "index.json").read_text())
    assert index["labeler"]["plugin"]["package"] == "sorn-bands 1.0" and index["labeler"]["options"] == {"margin": 0.2}
    assert index["pose"]["name"] == "upright" and index["pose"]["options"] == {"confidence": 0.75}


def test_runs_are_verified_and_compared_by_their_names(shop: Shop) -> None:
    for run in RUNS:
        text = shop.sorn("verify", run)
        assert re.search(rf"^whole +runs/{re.escape(run)}/masks$", text, re.MULTILINE), text
    text = shop.sorn("masks", "compare", *RUNS)
    assert "bands" in text and (shop.folder / "runs" / f"compare-{'-'.join(RUNS)}" / "comparison.json").is_file()


def test_a_change_of_code_or_package_makes_masks_stale(shop: Shop) -> None:
    file = shop.site / "sorn_bands.py"
    try:
        file.write_text(FILES["sorn_bands.py"].replace("0.93", "0.95"))
        text = shop.on_tiny("status", "--set", "masks.options.margin=0.0", labeler="sorn_bands:Bands")
        assert "option labeler.plugin.source changed" in text and states(text)["masks"] == "stale"
    finally:
        file.write_text(FILES["sorn_bands.py"])
    metadata = next(shop.site.glob("*.dist-info")) / "METADATA"
    text = metadata.read_text()
    try:
        metadata.write_text(text.replace("1.0", "1.1"))
        assert "option labeler.plugin.package changed: sorn-bands 1.0 -> sorn-bands 1.1" in shop.on_tiny("status")
    finally:
        metadata.write_text(text)


def test_mistakes_are_one_sentence_and_leave_no_stamp(shop: Shop) -> None:
    text = shop.on_tiny("masks", "--set", "masks.options.margn=0.1", labeler="sorn_bands:Bands", code=1)
    assert "labeler bands: unknown key 'masks.options.margn'. Did you mean margin?" in text
    (shop.site / "torn.py").write_text(FILES["sorn_bands.py"].replace("return mask", "return mask[1:]"))
    text = shop.on_tiny("masks", labeler="torn:Bands", code=1)
    assert len([line for line in text.splitlines() if line.startswith("Error: ")]) == 1
    assert "labeler torn:Bands returns a mask of shape [63, 32], not [64, 32] as the image, for 'train/" in text
    left = [path for path in (shop.folder / "runs" / "tiny-torn.Bands").rglob("*") if path.is_file()]
    assert [path.name for path in left if path.name != ".lock"] == []


def test_a_run_of_a_plugin_can_be_cleaned(shop: Shop, tmp_path: Path) -> None:
    shutil.copytree(shop.folder / "runs", tmp_path / "runs")
    for labeler, run in zip(("bands", "sorn_bands:Bands"), RUNS, strict=True):
        shop.on_tiny("clean", "--runs", str(tmp_path / "runs"), labeler=labeler)
        assert not (tmp_path / "runs" / run).exists()


def test_make_passes_the_names_on() -> None:
    for words in (["KEYPOINTS=upright"], ["POSE=upright"], ["KEYPOINTS=upright", "POSE=none"]):
        command = [
            "make",
            "-n",
            "-C",
            str(ROOT),
            "status",
            f"PYTHON={sys.executable}",
            "LABELER=sorn_bands:Bands",
            *words,
        ]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert re.search(r"--labeler '?sorn_bands:Bands'?.* --set '?masks\.keypoints=upright'?( |$)", text), text
