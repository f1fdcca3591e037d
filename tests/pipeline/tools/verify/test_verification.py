"""`sorn verify` on a real run that is broken in every way a disk or a hand breaks it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tiny_project import TinyProject

from pipeline.cli.app import main
from pipeline.stages.eval import VERSION

SHARD = "masks/train/shard-00001.h5"


def tree(folder: Path) -> dict[str, tuple[str, int]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def outputs(run) -> list[str]:
    """All files of all stamps, as Run.file wants them."""
    found = []
    for path in sorted(run.runs.rglob("stamp.json")):
        place = path.parent.relative_to(run.runs).as_posix().replace("mine/", "").replace("mine-import/", "")
        found += [f"{place}/{name}" for name in json.loads(path.read_text())["outputs"]]
    return found


def test_a_whole_run_is_said_to_be_whole_and_nothing_is_written(finished):
    before = tree(finished.folder)
    result = finished.verify()
    assert result.exit_code == 0 and tree(finished.folder) == before
    said = [line.split() for line in result.output.splitlines() if str(finished.runs) in line]
    assert [(word, Path(folder).relative_to(finished.runs).as_posix()) for word, folder in said] == [
        ("whole", "mine/data"),
        *(("whole", f"mine-import/{name}") for name in ("masks", "train", "eval")),
        *(("whole", f"mine-import/experiments/sorn-seed0/{name}") for name in ("train", "eval")),
    ]
    files = outputs(finished)
    size = sum(finished.file(name).stat().st_size for name in files)
    assert f"verify: {len(files) + 6} files, {size:,} bytes, " in result.output and result.output.endswith("s: whole\n")


def test_one_bit_of_any_output_is_found_though_size_and_time_are_the_recorded_ones(finished, tmp_path):
    for number, name in enumerate(outputs(finished)):
        copy = tmp_path / str(number)
        shutil.copytree(finished.runs, copy, copy_function=os.link)
        run = type(finished)(finished.folder, copy)
        path = run.flip(name, at=(number % 5 + 0.5) / 6)
        text = run.broken(f"{path} was changed after it was written: its sha256 is another one")
        stage = re.findall(r"data|masks|train|eval", name.removeprefix("experiments/sorn-seed0/"))[0]
        command = run.command(stage)
        if name.startswith("experiments"):
            command = run.command(stage, "train.seed=1", experiment="sorn-seed0")
        assert f"-> Delete {path}, then run: {command}\n" in text
        assert text.count("->") == 1 and re.search(r"s: 1 broken\n", text), f"{name}: one thing is broken\n{text}"
        shutil.rmtree(copy)


@pytest.mark.parametrize("name", ["data/records.csv", SHARD, "train/model.safetensors", "eval/features.h5"])
def test_a_file_that_was_cut_off_or_deleted_is_named(run, name):
    path = run.file(name)
    size = path.stat().st_size
    run.replace(path, path.read_bytes()[: size // 2])
    wrong = f"{path} has {size // 2:,} bytes, it was written with {size:,}"
    run.broken(wrong, f"-> Delete {path}, then run: {run.command(name.split('/')[0])}")
    path.unlink()
    run.broken(f"{path} is missing", f"-> Run: {run.command(name.split('/')[0])}")
    path.mkdir()
    run.broken(f"{path} is no file")


def test_the_remedy_repairs_to_the_same_bytes(run):
    for name, stage in ((SHARD, "masks"), ("eval/report.json", "eval")):
        good = TinyProject.content(run.file(name))
        path = run.flip(name)
        assert f"Delete {path}, then run: {run.command(stage)}" in run.broken()
        path.unlink()
        run.stage(stage)
        assert run.verify().exit_code == 0
        assert TinyProject.content(path) == good


def test_a_stamp_is_checked_against_itself_and_what_it_provides(run):
    path = run.file("train/stamp.json")
    good = json.loads(path.read_text())

    def changed(**fields: object) -> None:
        run.replace(path, json.dumps(good | fields).encode())

    changed(config={})
    run.broken(f"{path} was changed: its fingerprint is not the one of its inputs and options", f"Delete {path}")
    changed(stage="masks")
    run.broken(f"{path} is the stamp of masks, schema 1")
    changed(provides={"checkpoint": "0" * 64})
    run.broken("is not the checkpoint that its stamp provides to later stages", "checkpoint changed")
    changed(outputs={"../../mine/data/records.csv": ["0", 1, 1], **good["outputs"]})
    run.broken(f"{path} names an output outside its folder: ../../mine/data/records.csv")
    run.replace(path, b"{")
    run.broken(f"{path} is not a stamp", f"checkpoint came from {path.parent}, which has no good stamp")
    path.unlink()
    path.mkdir()
    run.broken(f"{path} cannot be read: Is a directory")


def test_a_stage_that_was_made_from_something_else_is_stale_and_not_broken(run):
    run.stage("train", "--retrain", more=("train.seed=5",))
    text = run.broken(f"stale       {run.file('eval')}\n            checkpoint changed\n", "s: 1 stale\n")
    assert f"-> Run: {run.command('eval')}\n" in text


def test_a_stage_of_another_version_is_stale_and_only_its_bytes_count(run, monkeypatch):
    monkeypatch.setattr("pipeline.stages.eval.VERSION", 99)
    run.rewrite("eval/report.json", lambda report: report.clear())  # another version may have written anything
    text = run.broken(f"eval changed: version {VERSION} -> 99", "s: 2 stale\n")
    assert "missing" not in text


def test_a_stage_that_has_not_run_is_not_broken_and_one_without_a_stamp_is_not_finished(run):
    shutil.rmtree(run.file("eval"))
    result = run.verify()
    assert result.exit_code == 0 and f"not run     {run.file('eval')}\n" in result.output
    run.file("train/stamp.json").unlink()
    text = run.broken(f"unfinished  {run.file('train')}\n", f"-> Run: {run.command('train')}\n", "s: 1 unfinished\n")
    assert "broken" not in text


def test_an_evaluation_of_another_checkpoint_is_held_against_that_one(run):
    source = "mine-import/experiments/sorn-seed0"
    run.stage("eval", "--trained-on", source)
    assert run.verify().exit_code == 0
    folder = run.file("eval-from-mine-import-experiments-sorn-seed0")
    path = run.flip(f"{folder.name}/report.md")
    run.broken(f"broken      {folder}\n", f"Delete {path}, then run: {run.command('eval', trained_on=source)}\n")
    shutil.rmtree(run.file("experiments/sorn-seed0/train"))
    run.broken(f"checkpoint came from {run.file('experiments/sorn-seed0/train')}, which has no good stamp")


def test_the_pictures_of_the_dataset_are_read_when_asked_for(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "mine", ignore=shutil.ignore_patterns("runs"))

    def verify(*words: str) -> Result:
        dataset = ["--dataset", str(tmp_path / "mine/mine.csv"), "--labeler", "import"]
        return run.call("verify", *dataset, "--runs", str(run.runs), *words)

    assert verify("--images").exit_code == 0
    picture = tmp_path / "mine" / "query-5-1.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert verify().exit_code == 0
    result = verify("--images")
    assert result.exit_code == 1 and "1 of 17 images are missing or differ from" in result.output
    assert f"first {picture}; copy again" in result.output


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["nobody"], r"there is no run 'nobody', neither in .*runs nor as a path\. Runs: mine-import\."),
        (["mine"], r"mine is no run: those are called <dataset>-<labeler>\."),
        (["mine-import", "--dataset", "synped"], r"both 'mine-import' and --dataset name the run"),
        (["--labeler", "import"], r"nothing of synped_demo-import is in .*runs\. Run: make eval DATASET=synped_demo"),
    ],
)
def test_what_is_no_run_is_refused_in_one_sentence(finished, words, wrong):
    result = CliRunner().invoke(main, ["verify", *words, "--runs", str(finished.runs)])
    assert result.exit_code == 1 and len(result.output.splitlines()) == 1
    assert re.search(wrong, result.output), result.output


def test_a_run_is_named_by_its_folder_or_by_its_dataset(run):
    path = run.flip("masks/labels.md")
    folder = run.call("verify", str(run.file("")))
    assert folder.exit_code == 1 and f"{path} was changed after it was written" in folder.output
    table = str(run.folder / "mine.csv")
    named = run.call("verify", "--dataset", table, "--labeler", "import", "--runs", str(run.runs))
    assert f"Delete {path}, then run: {run.command('masks')}\n" in named.output
    options = ["--dataset", table, "--labeler", "import", "--runs", str(run.runs), "--experiment", "other"]
    assert "sorn-seed0" not in run.call("verify", *options).output
