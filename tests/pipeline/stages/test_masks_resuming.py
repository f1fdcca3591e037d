"""The masks stage after a crash, damage, another program or a full disk: what is done again, and by whom."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mask_runs import Recorder, make_config, make_dataset, outputs_of, tree, work

from pipeline.datasets.manifest import Manifest
from pipeline.errors import UserError
from pipeline.io.images import decode
from pipeline.runs import run
from pipeline.runs.run import Run
from pipeline.runtime import distributed
from pipeline.shards import labeling
from pipeline.shards.format import ShardReader
from pipeline.stages import masks

pytestmark = pytest.mark.usefixtures("mine")


def test_a_crash_keeps_finished_shards_and_the_rest_is_done_later(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    recorder.dies_at = "train/017.png"
    with pytest.raises(RuntimeError, match="the labeler died"):
        work(make_config(), paths, "f")
    assert list(tree(paths.folder("masks"))) == ["train/shard-00000.h5"]
    recorder.asked, recorder.dies_at = [], ""
    work(make_config(), paths, "f")
    assert sorted(recorder.asked) == [f"train/{i:03d}.png" for i in range(10, 25)]
    resumed = tree(paths.folder("masks"))
    shutil.rmtree(paths.folder("masks"))
    work(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == resumed


def test_a_damaged_shard_is_written_again(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    whole = tree(paths.folder("masks"))
    first, second, third = (paths.shard("train", number) for number in range(3))
    first.write_bytes(first.read_bytes()[:5000])
    changed = bytearray(second.read_bytes())
    changed[8000] ^= 1
    second.write_bytes(bytes(changed))
    recorder.asked = []
    work(make_config(), paths, "f")
    assert sorted(recorder.asked) == [f"train/{i:03d}.png" for i in range(20)] and third.exists()
    assert tree(paths.folder("masks")) == whole


def test_a_shard_that_another_program_holds_open_is_not_written_again(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    whole, path = tree(paths.folder("masks")), paths.shard("train", 1)
    before = path.read_bytes()
    leave_open = "import h5py, os, sys\nfile = h5py.File(sys.argv[1], 'r+')\nfile.flush()\nos._exit(9)"  # as if killed
    subprocess.run([sys.executable, "-c", leave_open, str(path)], check=False)
    held, recorder.asked = path.read_bytes(), []
    with pytest.raises(UserError, match=r"shard-00001\.h5 is open for writing in another program.* h5clear -s"):
        work(make_config(), paths, "f")
    assert path.read_bytes() == held != before and recorder.asked == []
    path.write_bytes(before)  # as h5clear does
    work(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == whole and recorder.asked == []


def test_another_fingerprint_replaces_everything_and_leaves_nothing_over(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(shard_images=4), paths, "f")
    (paths.folder("masks") / "train" / "shard-00099.h5.tmp").touch()
    work(make_config(), paths, "g")
    files = sorted(path.name for path in (paths.folder("masks") / "train").iterdir())
    assert files == ["shard-00000.h5", "shard-00001.h5", "shard-00002.h5"]
    assert {ShardReader(paths.shard("train", i)).fingerprint for i in range(3)} == {"g"}
    assert sorted(outputs_of(paths)) == sorted(p for p in paths.folder("masks").rglob("*") if p.is_file())


def test_what_fails_before_a_shard_is_replaced_leaves_the_old_run(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    before = tree(paths.folder("masks"))
    recorder.asked, recorder.dies_at = [], "train/003.png"
    with pytest.raises(RuntimeError, match="the labeler died"):
        work(make_config(), paths, "g")
    assert tree(paths.folder("masks")) == before


def test_images_that_were_unreadable_for_a_while_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk was away while a shard was written: its images are not lost."""
    paths = make_dataset(tmp_path)
    work(make_config(shard_images=4), paths, "f")
    whole = tree(paths.folder("masks"))
    shutil.rmtree(paths.folder("masks"))
    away = "train/004.png"
    with monkeypatch.context() as patched:
        patched.setattr(labeling, "decode", lambda path: None if str(path).endswith(away) else decode(path))
        with pytest.raises(
            UserError, match=rf"1 of 32 images \({away}\) could not be read for a while, and can be now"
        ):
            work(make_config(shard_images=4), paths, "f")
    work(make_config(shard_images=4), paths, "f")
    assert f"lacks {away}, unreadable then and not now; writing it again" in capsys.readouterr().out
    assert tree(paths.folder("masks")) == whole


def test_a_full_disk_is_refused_early_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_dataset(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 10_000})())
        with pytest.raises(UserError, match=r"masks needs 0\.1 MB, but only 0\.0 MB are free there"):
            work(make_config(), paths, "f")
    assert not paths.folder("masks").exists()

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(UserError, match=r"disk is full: .*shard-00000\.h5 could not be written"):
        work(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == {}


def test_a_rank_writes_its_shards_and_leaves_the_rest_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = make_dataset(tmp_path)
    monkeypatch.setattr(masks.distributed, "meet", lambda *said: None)
    for number, files in ((1, {"query/shard-00000.h5", "train/shard-00001.h5"}), (0, None)):
        monkeypatch.setattr(masks.distributed, "here", lambda number=number: distributed.Process(number, 2, number, 2))
        if files is None:
            missing = paths.shard("train", 1)
            kept = missing.read_bytes()
            missing.unlink()
            with pytest.raises(
                UserError, match=r"another process has written .*shard-00001\.h5, but this process cannot see it"
            ):
                work(make_config(), paths, "f")
            missing.write_bytes(kept)
        if files is None:
            work(make_config(), paths, "f")
        else:
            masks.run(Run.of(make_config(), paths), "f")
            assert set(tree(paths.folder("masks"))) == files and capsys.readouterr().out == ""
    together = tree(paths.folder("masks"))
    shutil.rmtree(paths.folder("masks"))
    monkeypatch.undo()
    monkeypatch.setattr(run, "load_manifest", lambda name: Manifest(name, "Mine"))
    work(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == together
