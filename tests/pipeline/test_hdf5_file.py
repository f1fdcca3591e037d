"""HDF5 files of others: links, data and sizes that lead out of the file are refused before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline import feature_store, mapped_bank
from pipeline.errors import UserError
from pipeline.hdf5_file import dataset, member
from pipeline.shards import ShardReader, ShardWriter
from sorn.features import FeatureBank
from sorn.sample import Sample, Status

SECRET = np.arange(8, dtype=np.int64)


def soft(file: h5py.File, name: str, other: Path) -> None:
    file["elsewhere"] = SECRET
    file[name] = h5py.SoftLink("/elsewhere")


def external_link(file: h5py.File, name: str, other: Path) -> None:
    file[name] = h5py.ExternalLink(str(other), "/pid")


def external_data(file: h5py.File, name: str, other: Path) -> None:
    file.create_dataset(name, (8,), np.int64, external=[(str(other), 0, 64)])


def virtual(file: h5py.File, name: str, other: Path) -> None:
    layout = h5py.VirtualLayout((8,), np.int64)
    layout[:] = h5py.VirtualSource(str(other), "pid", (8,))
    file.create_virtual_dataset(name, layout)


def bomb(file: h5py.File, name: str, other: Path) -> None:
    """A terabyte of zeros in a few kilobytes."""
    file.create_dataset(name, (1 << 37,), np.int64, chunks=(1 << 20,), compression="gzip", fillvalue=0)


ATTACKS = {
    soft: "link elsewhere",
    external_link: "link elsewhere",
    external_data: "stored in another file",
    virtual: "stored in another file",
    bomb: "more than the file has",
}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["pid"] = SECRET
    return path


@pytest.mark.parametrize(("attack", "said"), ATTACKS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_what_leads_out_of_a_file_is_refused(
    tmp_path: Path, other: Path, attack: Callable[[h5py.File, str, Path], None], said: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        attack(file, "pid", other)
        with pytest.raises(ValueError, match=said):
            member(file, "pid")


def test_what_lies_in_the_file_is_found(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("query")["pid"] = SECRET
        file["number"] = 3
        assert isinstance(member(file, "query"), h5py.Group)
        assert (dataset(member(file, "query"), "pid")[:] == SECRET).all()
        for name in ("query", "number"):
            with pytest.raises(ValueError, match="no dataset with axes"):
                dataset(file, name)
        with pytest.raises(KeyError, match="holds no 'gallery'"):
            member(file, "gallery")


def a_shard(path: Path) -> str:
    with ShardWriter(path, 8, (16, 8), "f", {"name": "none"}) as writer:
        for i in range(8):
            image = np.full((16, 8, 3), i, np.uint8)
            writer.append(Sample(image, image[..., 0].copy(), i, i, f"train/{i}.jpg", Status.OK))
    return "pid"


def a_bank(path: Path) -> str:
    ones = np.ones((8, 3), np.float32)
    names = np.array([f"{i}.jpg" for i in range(8)])
    feature_store.write_bank(path, FeatureBank(ones, ones[:, :, None], ones, SECRET, SECRET, names), {})
    return "images/pid"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda value: value.__name__)
@pytest.mark.parametrize(
    ("write", "read"),
    [(a_shard, ShardReader), (a_bank, feature_store.read_bank), (a_bank, mapped_bank.open_bank)],
    ids=["shard", "bank", "mapped bank"],
)
def test_no_reader_follows(
    tmp_path: Path,
    other: Path,
    attack: Callable[[h5py.File, str, Path], None],
    write: Callable[[Path], str],
    read: Callable[[Path], object],
) -> None:
    path = tmp_path / "file.h5"
    name = write(path)
    read(path)
    with h5py.File(path, "r+") as file:
        del file[name]
        attack(file, name, other)
    with pytest.raises(UserError, match=f"{path} is truncated or no"):
        read(path)
