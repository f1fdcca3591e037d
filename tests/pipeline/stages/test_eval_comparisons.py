"""What an evaluation stands beside: the paper, colours, and warnings about its figures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from eval_runs import GALLERY, QUERY, evaluated, images, run, write_run

from pipeline.datasets.manifest import Manifest, load_manifest
from pipeline.io.files import write_text
from pipeline.runs import run as runs
from pipeline.runs import stamp
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import eval as stage
from sorn.sample import Sample

PAPER = "What the paper reports on this dataset"
OWN = """base = "market1501"
subset = true
pattern = '^(?P<pid>-1|\\\\d+)_c(?P<camid>\\\\d+)\\\\.jpg$'
"""


def written(dataset: str, name: str, folder: Path, splits: dict[str, list[Sample]]) -> Paths:
    paths = Paths(dataset, "none", Path("data"), folder, name=name)
    write_run(paths, splits)
    return paths


def small(monkeypatch: pytest.MonkeyPatch, name: str, splits: dict[str, list[Sample]]) -> None:
    """The counts of a manifest are those of a hand-made run."""

    def load(dataset: str) -> Manifest:
        manifest = load_manifest(dataset)
        sets = tuple(
            dataclasses.replace(one, images=len(splits.get(one.split, ())), per_camera={}) for one in manifest.set
        )
        people = {split: len({item.pid for item in splits.get(split, ())}) for split in manifest.expected_ids}
        return dataclasses.replace(manifest, set=sets, expected_ids=people)

    monkeypatch.setattr(runs, "load_manifest", load)


def test_a_part_of_a_dataset_is_not_the_dataset(tmp_path: Path) -> None:
    file = tmp_path / "mymarket.toml"
    file.write_text(OWN)
    paths = written(str(file), "mymarket", tmp_path / "runs", {"query": QUERY, "gallery": GALLERY})
    report = run(paths)
    assert report["dataset"]["title"] == "images of mymarket.toml, in the layout of market1501"
    assert report["paper"] == [] and report["protocol"].startswith("images of mymarket.toml")
    for text in (paths.report_md.read_text(), paths.report_html.read_text()):
        assert PAPER not in text and "Table VI" not in text


def test_the_dataset_itself_stands_beside_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = {"query": QUERY, "gallery": GALLERY}
    paths = written("market1501", "", tmp_path, splits)
    small(monkeypatch, "market1501", splits)
    report = run(paths)
    assert [row["rank-1"] for row in report["paper"]] == [94.8] and not report["paper_left_out"]
    assert PAPER in paths.report_md.read_text() and PAPER in paths.report_html.read_text()
    drawn = run(paths, evaluated(shots=1, trials=3))
    assert drawn["paper"] == [] and "not of protocol default as it was evaluated" in drawn["paper_left_out"]
    told = "The paper's figures on this dataset are not shown"
    assert told in paths.report_md.read_text() and told in paths.report_html.read_text().replace("&#39;", "'")


def test_a_query_less_is_not_what_the_paper_measured(tmp_path: Path) -> None:
    paths = written("market1501", "", tmp_path, {"query": QUERY, "gallery": GALLERY})
    report = run(paths)
    assert report["paper"] == [] and "here train/ has 0 images, not 12,936" in report["paper_left_out"]


def test_validation_and_a_network_from_elsewhere_stand_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(1, 1), (2, 1), (3, 2)]
    splits = {"val_query": images("val_query", pairs), "val_gallery": images("val_gallery", [(p, 4) for p, _ in pairs])}
    splits |= {"query": QUERY, "gallery": GALLERY}
    paths = written("market1501", "", tmp_path, splits)
    small(monkeypatch, "market1501", splits)
    assert "split val" in run(paths, evaluated(split="val"))["paper_left_out"]
    described = json.loads(paths.train_config.read_text())
    write_text(paths.train_config, json.dumps(described | {"dataset": "synped"}))
    assert "this one on synped" in run(paths)["paper_left_out"]


def test_colours_are_in_a_report_unless_they_are_left_out(tmp_path: Path) -> None:
    paths = written("synped_demo", "", tmp_path, {"query": QUERY, "gallery": GALLERY})
    assert list(run(paths, evaluated(colour=None))["metrics"])[:2] == ["colour", "colour, visible stripes"]
    assert "colour" not in run(paths)["metrics"]


@pytest.mark.parametrize(
    ("recorded", "asked", "reasons"),
    [
        (False, None, []),
        (True, None, []),
        (None, None, []),
        (False, False, []),
        (False, True, ["option eval.colour changed: False -> True"]),
        (None, False, ["option eval.colour changed: None -> False"]),
    ],
)
def test_a_finished_report_without_colours_is_made_again_only_for_who_asks(
    tmp_path: Path, recorded: bool | None, asked: bool | None, reasons: list[str]
) -> None:
    """Before colours were in every report, the option was false by default."""
    paths = written("synped_demo", "", tmp_path, {"query": QUERY, "gallery": GALLERY})
    made, wanted = (Run.of(evaluated(colour=colour), paths) for colour in (recorded, asked))
    settings = {name: {**table} for name, table in stage.settings(made).items()}  # type: ignore[dict-item]
    assert settings["eval"]["colour"] is recorded
    stamp.write(paths.folder("eval"), "eval", stage.VERSION, {}, settings, [], {})
    assert stamp.why_stale(paths.folder("eval"), "eval", stage.VERSION, {}, stage.settings(wanted)) == reasons


def test_warnings_are_one_list_in_every_file_and_the_last_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = written("synped_demo", "", tmp_path, {"query": QUERY, "gallery": GALLERY})
    report = run(paths, evaluated(tau=0.0, rerank=True))
    lines = [f"{item['text']}. {item['why']}" if item["why"] else f"{item['text']}." for item in report["warnings"]]
    assert lines[0] == "3 images fewer than published."
    for part in ("no match in the gallery: query/0050_c1.jpg", "of 8 persons", "is hidden at tau 0", "sorn+rerank"):
        assert any(part in line for line in lines), part
    shown = capsys.readouterr()
    assert [line for line in (shown.out + shown.err).splitlines() if line.startswith("warning: ")] == [
        f"warning: {line}" for line in lines
    ]
    text, page = paths.report_md.read_text(), paths.report_html.read_text().replace("&#39;", "'")
    assert all(f"- {line}\n" in text and f"<li>{line}</li>" in page for line in lines)


def test_a_short_training_is_counted_from_its_shards(tmp_path: Path) -> None:
    splits = {"train": QUERY, "query": QUERY, "gallery": GALLERY}
    paths = written("synped_demo", "", tmp_path, splits)
    described = json.loads(paths.train_config.read_text())
    train, schedule = {"batch_size": 3, "last_batch": "drop"}, {"epochs": 1, "warmup_epochs": 0}
    write_text(paths.train_config, json.dumps(described | {"train": train, "schedule": schedule}))
    assert any("for 3 steps only" in item["text"] for item in run(paths)["warnings"])
