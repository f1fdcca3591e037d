"""A run: found by every name and path, opened once, and made again by the command that made it."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.runs import run as module
from pipeline.runs import stamp
from pipeline.runs.command import RunCommand
from pipeline.runs.config import Runtime
from pipeline.runs.layout import EXPORT, TABLES, Paths
from pipeline.runs.output_folders import output_folders
from pipeline.runs.run import Run

FILES = (
    "synped_demo/data/records.csv",
    "synped_demo-danet/masks/index.json",
    "synped_demo-danet/train/model.safetensors",
    "synped_demo-danet/eval/features.h5",
    "synped_demo-danet/eval-from-mine-none/features.h5",
    "synped_demo-danet/export/sorn.onnx",
    "synped_demo-danet/experiments/small/train/model.safetensors",
    "synped_demo-danet/experiments/small/eval/features.h5",
    "synped_demo-danet/experiments/small/eval-from-mine-none/features.h5",
    "mine-none/train/model.safetensors",
)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "runs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "runs"


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("synped_demo-danet", "synped_demo-danet/eval"),
        ("synped_demo-danet/train", "synped_demo-danet/eval"),
        ("synped_demo-danet/eval/features.h5", "synped_demo-danet/eval"),
        ("synped_demo-danet/eval-from-mine-none", "synped_demo-danet/eval-from-mine-none"),
        ("synped_demo-danet/eval-from-mine-none/features.h5", "synped_demo-danet/eval-from-mine-none"),
        ("synped_demo-danet/experiments/small", "synped_demo-danet/experiments/small/eval"),
        ("synped_demo-danet/experiments/small/eval/features.h5", "synped_demo-danet/experiments/small/eval"),
        (
            "synped_demo-danet/experiments/small/eval-from-mine-none/features.h5",
            "synped_demo-danet/experiments/small/eval-from-mine-none",
        ),
    ],
)
def test_a_run_is_found_by_its_name_and_by_any_path_in_it(
    runs: Path, monkeypatch: pytest.MonkeyPatch, text: str, folder: str
) -> None:
    monkeypatch.chdir(runs)
    for given, below in ((text, runs), (runs / text, Path("elsewhere")), (Path(text), Path("elsewhere"))):
        found = Run.find(given, below, Path("data")).paths
        assert found.folder("eval").resolve() == runs / folder
        assert (found.dataset, found.labeler) == ("synped_demo", "danet")
        assert found.folder("masks").resolve() == runs / "synped_demo-danet/masks"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nobody", "there is no run 'nobody', neither in .*Runs: mine-none, synped_demo-danet"),
        ("synped_demo-dante", "there is no run 'synped_demo-dante'.*Did you mean synped_demo-danet"),
        ("synped_demo-danet/experiments/smal", "there is no experiment 'smal'.*Did you mean small"),
        ("synped_demo", "'synped_demo' is a dataset, and a run is called <dataset>-<labeler>"),
    ],
)
def test_a_name_without_a_run_is_one_sentence(runs: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Run.find(text, runs, Path("data"))


def test_folders_are_those_of_its_stages_experiments_exports_and_tables(runs: Path) -> None:
    found = output_folders(Run.find("synped_demo-danet", runs, Path("data")))
    own = runs / "synped_demo-danet"
    assert [(one.stage, one.folder) for one in found] == [
        ("data", runs / "synped_demo/data"),
        ("labeler", runs / "synped_demo/labeler"),
        ("masks", own / "masks"),
        ("train", own / "train"),
        ("eval", own / "eval"),
        ("eval", own / "eval-from-mine-none"),
        (EXPORT, own / "export"),
        ("train", own / "experiments/small/train"),
        ("eval", own / "experiments/small/eval"),
        ("eval", own / "experiments/small/eval-from-mine-none"),
        (TABLES, own / "tables"),
    ]
    assert all(one.stage in (EXPORT, TABLES) or one.run.paths.folder(one.stage) == one.folder for one in found)
    small = output_folders(Run.find("synped_demo-danet/experiments/small", runs, Path("data")))
    assert TABLES not in [one.stage for one in small] and len(small) == len(found) - 1


COMMAND = RunCommand("my data/own.csv", "import", "mine.toml", ("eval.tau=0.3", "model.stripes=2"), data_root="d")


def stamped(folder: Path, stage: str, command: RunCommand | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stamp.write(folder, stage, 1, {}, {}, [], {}, command)


def test_a_run_remembers_its_command(runs: Path) -> None:
    stamped(runs / "own-import/masks", "masks", COMMAND)
    stamped(runs / "own-import/train", "train", None)  # of an older build
    found = Run.find("own-import", runs, Path("data"))
    assert (found.paths.dataset, found.paths.data_root) == ("my data/own.csv", Path("d"))
    words = shlex.split(found.make("train"))
    assert words[:5] == ["make", "train", "DATASET=my data/own.csv", "LABELER=import", "CONFIG=mine.toml"]
    assert words[5:] == ["ARGS=--set eval.tau=0.3 --set model.stripes=2", "DATA_ROOT=d", f"RUNS={runs}"]
    (runs / "own-import/train/stamp.json").write_text("{")
    assert Run.find("own-import", runs, Path("data")).command == found.command


def test_options_of_the_command_line_come_on_top_and_another_configuration_in_place_of_them(runs: Path) -> None:
    command = dataclasses.replace(COMMAND, dataset="synped_demo", config="demo")
    stamped(runs / "synped_demo-import/masks", "masks", command)
    found = Run.find("synped_demo-import", runs, Path("data"))
    more = found.asked_for("", ("eval.tau=0.4",), None, Runtime()).config
    assert (more.eval.tau, more.model.stripes) == (0.4, 2)
    other = found.asked_for("paper", ("eval.tau=0.4",), None, Runtime()).config
    assert (other.eval.tau, other.model.stripes) == (0.4, 3)


def test_the_manifest_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    load = module.load_manifest
    monkeypatch.setattr(module, "load_manifest", lambda dataset: asked.append(dataset) or load(dataset))
    run = Run.at(Paths("synped_demo", "danet", tmp_path, tmp_path))
    assert run.manifest is run.manifest and run.config_name == run.manifest.default_config
    assert asked == ["synped_demo"]


def test_the_content_of_a_configuration_file_is_recorded(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "demo"\n')
    run = Run(Paths("synped_demo", "danet", tmp_path, tmp_path), RunCommand("synped_demo", "danet", str(file)))
    assert run.recorded.config_text == 'base = "demo"\n' and run.command.config_text is None
