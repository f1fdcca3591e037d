"""features.h5: read back as written, the same bytes every time, checked before it is believed."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.feature_store import Examples, read_attrs, read_banks, write_banks
from sorn.features import FeatureBank

ATTRS = {"fingerprint": "f", "checkpoint_sha256": "c" * 64, "config": '{"parts": 3}'}


def make_bank(side: str, n: int, parts: int = 3) -> FeatureBank:
    rng = np.random.default_rng([n, parts])
    return FeatureBank(
        global_=rng.normal(size=(n, 8)).astype(np.float32),
        local=rng.normal(size=(n, parts, 4)).astype(np.float32),
        visibility=rng.random((n, parts), dtype=np.float32),
        pid=np.arange(n),
        camid=np.arange(n) % 2,
        name=np.array([f"{side}/ü{i}.jpg" for i in range(n)]),
        pose=rng.random((n, parts), dtype=np.float32) if side == "gallery" else None,
        segmenter=rng.random((n, parts), dtype=np.float32) if side == "query" else None,
    )


def make_examples(n: int) -> Examples:
    names = np.array([f"query/ü{i}.jpg" for i in range(n)])
    return Examples(names, np.full((n, 3, 4, 2), 0.25, np.float16), np.full((n, 16, 8), 7, np.uint8))


def write(path: Path) -> Path:
    write_banks(path, make_bank("query", 5), make_bank("gallery", 7), ATTRS, make_examples(2))
    return path


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = write(tmp_path / "eval" / "features.h5")
    banks = read_banks(path)
    for found, expected in ((banks.query, make_bank("query", 5)), (banks.gallery, make_bank("gallery", 7))):
        for field in dataclasses.fields(FeatureBank):
            a, b = getattr(found, field.name), getattr(expected, field.name)
            assert (a is None) == (b is None), field.name
            assert a is None or (np.array_equal(a, b) and a.dtype.kind == b.dtype.kind), field.name
    assert banks.attrs == read_attrs(path) == ATTRS
    assert banks.examples is not None and banks.examples.name.tolist() == ["query/ü0.jpg", "query/ü1.jpg"]
    assert banks.examples.maps.dtype == np.float16 and (banks.examples.parts == 7).all()
    assert [p.name for p in path.parent.iterdir()] == ["features.h5"]


def test_the_same_features_give_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.h5").read_bytes() == write(tmp_path / "b.h5").read_bytes()


def test_banks_without_a_branch_or_examples(tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    write_banks(path, make_bank("query", 2, parts=0), make_bank("gallery", 3, parts=0), {})
    banks = read_banks(path)
    assert banks.query.local.shape == (2, 0, 4) and banks.examples is None


def test_files_that_are_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    with pytest.raises(UserError, match=r"there are no features: .*features\.h5 is missing"):
        read_banks(path)
    write(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="is truncated or no feature bank"):
        read_banks(path)
    write(path)
    with h5py.File(path, "r+") as file:
        del file["gallery/visibility"]
    with pytest.raises(UserError, match="is truncated or no feature bank"):
        read_banks(path)
    write(path)
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 4
    with pytest.raises(UserError, match="is of schema version 4, this program of 2"):
        read_attrs(path)


def test_lengths_that_disagree(tmp_path: Path) -> None:
    path = write(tmp_path / "features.h5")
    with h5py.File(path, "r+") as file:
        del file["query/pid"]
        file["query/pid"] = np.arange(4)
    with pytest.raises(UserError, match="feature bank of 4 images has fields of another shape"):
        read_banks(path)


def test_features_that_are_not_finite_are_neither_written_nor_read(tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    bad = make_bank("query", 5)
    bad.local[3, 1, 0] = np.nan
    with pytest.raises(UserError, match=r"query/local is not finite for 1 images, first query/ü3\.jpg"):
        write_banks(path, bad, make_bank("gallery", 7), ATTRS)
    assert list(tmp_path.iterdir()) == []
    write(path)
    with h5py.File(path, "r+") as file:
        file["gallery/global"][2, 0] = np.inf
    with pytest.raises(UserError, match="gallery/global is not finite for 1 images"):
        read_banks(path)
    write(path)
    with h5py.File(path, "r+") as file:
        file["gallery/pose"][1, 0] = np.nan
    with pytest.raises(UserError, match="gallery/pose is not finite for 1 images"):
        read_banks(path)
    write(path)
    with h5py.File(path, "r+") as file:
        assert sorted(file["query"]) == ["camid", "global", "local", "name", "pid", "segmenter", "visibility"]
        file["query/segmenter"][1, 0] = np.nan
    with pytest.raises(UserError, match="query/segmenter is not finite for 1 images"):
        read_banks(path)


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage(tmp_path))(total=10**9, used=10**9 - 1000, free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"features\.h5 needs 1\.1 MB, but only 0\.0 MB are free there"):
        write(tmp_path / "features.h5")
    assert list(tmp_path.iterdir()) == []
