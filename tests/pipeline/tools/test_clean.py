"""`sorn clean`: what goes, what stays and is named, and what stops it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.runs.config import Config
from pipeline.runs.layout import Paths
from pipeline.runs.lock import held
from pipeline.runs.result_paths import TablesPaths
from pipeline.runs.run import Run
from pipeline.tools.clean import clean

WRITTEN = """
mine/data: records.csv summary.json stamp.json .lock
mine-import/masks: index.json labels.json labels.md pictures/labels.png train/shard-00000.h5 query/shard-00000.h5.tmp
mine-import/train: model.safetensors config.json state-0123456789ab-00000010.pt tensorboard/events.out.tfevents.1.a.2.0
mine-import/eval: features.h5 report.json report.md report.html queries.csv pictures/maps.png parts/a-query-00000.h5
mine-import/eval-from-other-import: features.h5 stamp.json
mine-import/experiments/sorn-seed0/train: model.safetensors config.json stamp.json int8/int8.json int8.7.tmp/network.bin
mine-import/experiments/sorn-seed0/eval: features.h5 stamp.json
mine-import/experiments/ext-seed0/eval-from-mine-import-experiments-plain-seed0: features.h5 stamp.json
mine-import/tables: tables.json tables.md tables.html attempts.csv logs/sorn-seed0-train.log parts/1-of-1/.lock
"""
OTHERS = ("mine-import/export/sorn.onnx", "mine-none/masks/stamp.json", "other-import/train/model.safetensors")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A run with an experiment, tables, and what stages leave that were killed; and what lies beside it."""
    runs = tmp_path / "runs"
    for line in WRITTEN.split("\n")[1:-1]:
        folder, names = line.split(": ")
        for name in names.split():
            write(runs / folder / name)
    for name in OTHERS:
        write(runs / name)
    return runs


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.name)
    return path


def paths(runs: Path, **more: str) -> Paths:
    return Paths("mine", "import", runs.parent / "data", runs, **more)


def left(runs: Path) -> list[str]:
    return sorted(path.relative_to(runs).as_posix() for path in runs.rglob("*") if path.is_file())


def test_a_run_goes_with_its_experiments_and_tables_and_nothing_else(runs):
    cleaned = clean(Run.of(Config(), paths(runs)))
    written = [line.split(":")[0] for line in WRITTEN.split("\n")[1:-1]]
    assert sorted(folder.relative_to(runs).as_posix() for folder in cleaned.removed) == sorted(written)
    assert cleaned.kept == [] and left(runs) == list(OTHERS)
    assert not (runs / "mine-import/experiments").exists() and not (runs / "mine").exists()


FOREIGN = (
    "mine/data/notes.txt",
    "mine-import/masks/pictures/figure.svg",
    "mine-import/experiments/sorn-seed0/train/keep.txt",
    "mine-import/tables/logs/mine.txt",
    "mine-import/experiments/sorn-seed0/why.txt",
    "mine-import/experiments/readme.md",
)


def test_a_file_of_somebody_else_stays_and_is_named(runs):
    foreign = [write(runs / name) for name in FOREIGN]
    options = ["--runs", str(runs), "--dataset", str(_manifest(runs)), "--labeler", "import"]
    result = CliRunner().invoke(main, ["clean", *options])
    assert result.exit_code == 0, result.output
    kept = [line for line in result.output.splitlines() if line.startswith("kept ")]
    assert sorted(kept) == sorted(f"kept {file}: this program did not write it" for file in foreign)
    locks = {"mine/data/.lock", "mine-import/masks/.lock", "mine-import/experiments/sorn-seed0/train/.lock"}
    locks.add("mine-import/tables/parts/1-of-1/.lock")
    assert set(left(runs)) == {*FOREIGN, *OTHERS, *locks}
    assert all((runs / name).stat().st_size == 0 for name in locks)
    assert f"removed {runs / 'mine-import/experiments/sorn-seed0/eval'}\n" in result.output


def _manifest(runs: Path) -> Path:
    """The CSV dataset `mine`."""
    table = runs.parent / "mine.csv"
    table.write_text("path,pid,camid,split\n")
    return table


def test_links_and_hidden_files_of_somebody_else_stay(runs, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious.txt").write_text("mine")
    (runs / "mine-import/train/link").symlink_to(tmp_path / "elsewhere")
    hidden = write(runs / "mine-import/train/.notes")
    assert clean(Run.of(Config(), paths(runs))).kept == [hidden, runs / "mine-import/train/link"]
    assert (tmp_path / "elsewhere" / "precious.txt").read_text() == "mine" and hidden.exists()


def test_an_experiment_goes_alone_with_its_evaluations(runs):
    note = write(runs / "mine-import/experiments/sorn-seed0/why.txt")
    evaluated = write(runs / "mine-import/experiments/sorn-seed0/eval-from-other-import/features.h5")
    before = [name for name in left(runs) if not name.startswith("mine-import/experiments/sorn-seed0/")]
    cleaned = clean(Run.of(Config(), paths(runs, experiment="sorn-seed0")))
    own = runs / "mine-import/experiments/sorn-seed0"
    assert cleaned.removed == [own / "train", own / "eval", evaluated.parent] and cleaned.kept == [note]
    assert left(runs) == sorted([*before, note.relative_to(runs).as_posix()])


@pytest.mark.parametrize("busy", ["experiments/sorn-seed0/train", "tables/parts/1-of-1", "eval-from-other-import"])
def test_nothing_goes_while_somebody_is_at_work_in_any_of_it(runs, busy):
    before = left(runs)
    with held(runs / "mine-import" / busy, "train"), pytest.raises(UserError, match="train is already running in"):
        clean(Run.of(Config(), paths(runs)))
    assert set(left(runs)) >= set(before)


def test_what_a_killed_clean_left_goes_with_the_next_one(runs):
    tables = TablesPaths.of(paths(runs)).folder
    for folder in (tables, runs / "mine-import/experiments/sorn-seed0/eval", runs / "mine-import/masks"):
        folder.rename(folder.with_name(folder.name + ".removed"))
    clean(Run.of(Config(), paths(runs)))
    assert left(runs) == list(OTHERS)
