"""HDF5 files of others: links, data and sizes that lead out of the file are refused before anything is read."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.features import mapped, store
from pipeline.io.hdf5 import (
    DAMAGE,
    HeldOpen,
    OutOfReach,
    attribute,
    attributes,
    dataset,
    member,
    opened,
    set_attributes,
    texts,
    unreadable,
)
from pipeline.shards.format import ShardReader, ShardWriter
from sorn.features import FeatureBank
from sorn.sample import Sample, Status

ROOT = Path(__file__).parents[3]
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
    store.write_bank(path, FeatureBank(ones, ones[:, :, None], ones, SECRET, SECRET, names), {})
    return "images/pid"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda value: value.__name__)
@pytest.mark.parametrize(
    ("write", "read"),
    [(a_shard, ShardReader), (a_bank, store.read_bank), (a_bank, mapped.open_bank)],
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


def test_texts_and_numbers_come_back(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        set_attributes(file, {"name": "Zoë", "nothing": "", "number": 3})
        file["names"] = texts(["a", "ß/ä.jpg", ""])
        file["none"] = texts([])
        assert attributes(file) == {"name": "Zoë", "nothing": "", "number": 3}
        assert list(dataset(file, "names").asstr()[:]) == ["a", "ß/ä.jpg", ""]
        assert dataset(file, "none").shape == (0,)
        with pytest.raises(KeyError, match="no attribute 'other'"):
            attribute(file, "other")


def test_what_is_of_variable_length_is_refused_unread(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["name"], file.attrs["numbers"] = "text", [1, 2]
        file.create_dataset("name", data=["a"], dtype=h5py.string_dtype())
        for name in file.attrs:
            with pytest.raises(ValueError, match=f"'{name}' is neither a number nor a text of fixed length"):
                attribute(file, name)
        with pytest.raises(ValueError, match="/name is of variable length"):
            dataset(file, "name")


@pytest.mark.parametrize("write", [a_shard, a_bank], ids=["shard", "bank"])
def test_no_file_of_ours_has_a_heap(tmp_path: Path, write: Callable[[Path], str]) -> None:
    """HDF5's heaps of texts have no checksums, and a damaged one sends the library into an endless loop."""
    write(tmp_path / "file.h5")
    assert b"GCOL" not in (tmp_path / "file.h5").read_bytes()


@pytest.mark.parametrize(
    ("write", "read"),
    [(a_shard, ShardReader), (a_bank, store.read_bank), (a_bank, mapped.open_bank)],
    ids=["shard", "bank", "mapped bank"],
)
def test_a_damaged_table_is_told_from_its_checksum(
    tmp_path: Path, write: Callable[[Path], str], read: Callable[[Path], object]
) -> None:
    """Every byte of the first kilobyte, which holds the tables: one sentence, or nothing that is read there."""
    path = tmp_path / "file.h5"
    write(path)
    whole, refused = path.read_bytes(), 0
    for place in range(min(1024, len(whole))):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read(path)
        except UserError:
            refused += 1
    assert refused > 200


WRITE_AND_READ = """
import sys
from pathlib import Path
import numpy as np
from pipeline.features import mapped, store
from pipeline.shards.format import ShardReader, ShardWriter
from sorn.features import FeatureBank
from sorn.sample import Sample, Status
folder, unknown = Path(sys.argv[1]), np.full(3, -1)
zeros = np.zeros((3, 2), np.float32)
bank = FeatureBank(zeros, np.ones((3, 2, 2), np.float32), zeros, unknown, unknown, np.array(["a", "b", "c"]))
store.write_bank(folder / "bank.h5", bank, {"fingerprint": "f"})
store.write_banks(folder / "features.h5", bank, bank, {"fingerprint": "f"})
mapped.open_bank(folder / "bank.h5"), store.read_banks(folder / "features.h5"), store.read_attrs(folder / "bank.h5")
with ShardWriter(folder / "shard.h5", 1, (8, 4), "f", {"name": "none"}) as writer:
    writer.append(Sample(np.zeros((8, 4, 3), np.uint8), np.zeros((8, 4), np.uint8), 1, 1, "a", Status.UNLABELED))
ShardReader(folder / "shard.h5").sample(0)
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_file_system_without_locks_holds_the_same_bytes(tmp_path: Path) -> None:
    source, library = tmp_path / "nolock.c", tmp_path / "nolock.so"
    source.write_text("#include <errno.h>\nint flock(int fd, int op) { errno = ENOLCK; return -1; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    for name, more in (("with", {}), ("without", {"LD_PRELOAD": str(library)})):
        (tmp_path / name).mkdir()
        command = [sys.executable, "-c", WRITE_AND_READ, str(tmp_path / name)]
        environment = {key: value for key, value in os.environ.items() if key != "HDF5_USE_FILE_LOCKING"} | more
        found = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
    for file in ("bank.h5", "features.h5", "shard.h5"):
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes()


def held_by_a_killed_program(path: Path) -> None:
    leave_open = "import h5py, os, sys\nfile = h5py.File(sys.argv[1], 'r+')\nfile.flush()\nos._exit(9)"
    subprocess.run([sys.executable, "-c", leave_open, str(path)], check=False)


READERS = [(a_shard, ShardReader), (a_bank, store.read_bank), (a_bank, store.read_attrs), (a_bank, mapped.open_bank)]
NAMES = ["shard", "bank", "attributes", "mapped bank"]


@pytest.mark.parametrize(("write", "read"), READERS, ids=NAMES)
def test_a_file_that_another_program_has_open_is_not_called_damaged(
    tmp_path: Path, write: Callable[[Path], str], read: Callable[[Path], object]
) -> None:
    path = tmp_path / "my file.h5"
    write(path)
    held_by_a_killed_program(path)
    with pytest.raises(HeldOpen, match="open for writing in another program") as caught:
        read(path)
    assert caught.value.remedy.endswith(f"h5clear -s '{path}'")


@pytest.mark.parametrize(("write", "read"), READERS, ids=NAMES)
@pytest.mark.parametrize("locking", [None, True, False, "best-effort"])
def test_a_file_that_this_process_has_open_is_read(
    tmp_path: Path, write: Callable[[Path], str], read: Callable[[Path], object], locking: bool | str | None
) -> None:
    """As in a notebook, where a user looks at the file as well."""
    write(tmp_path / "file.h5")
    with h5py.File(tmp_path / "file.h5", "r", locking=locking):
        read(tmp_path / "file.h5")


@pytest.mark.parametrize("libver", ["earliest", "v108", "v110", "v112", "v114", "latest"])
def test_files_of_every_version_of_hdf5_are_read(tmp_path: Path, libver: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver=(libver, "latest")) as file:
        file["pid"] = SECRET
    with opened(tmp_path / "a.h5") as file:
        assert (dataset(file, "pid")[:] == SECRET).all()


@pytest.mark.parametrize(("write", "read"), READERS, ids=NAMES)
@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "you may not read"), (errno.ESTALE, "cannot be read: Stale file handle")]
)
def test_a_file_out_of_reach_is_not_called_damaged(
    tmp_path: Path,
    write: Callable[[Path], str],
    read: Callable[[Path], object],
    number: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(tmp_path / "file.h5")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "unable to open file")

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(OutOfReach, match=words):
        read(tmp_path / "file.h5")


def test_a_file_of_a_newer_hdf5_and_a_folder_are_named(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    a_bank(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:8] + b"\x05" + whole[9:])
    with pytest.raises(OutOfReach, match=r"is of a newer HDF5 than .* -m pip install --upgrade h5py"):
        store.read_bank(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(OutOfReach, match="is a folder, not a file"):
        store.read_bank(path)


def test_a_dataset_of_a_newer_hdf5_is_not_called_damaged(tmp_path: Path) -> None:
    """As HDF5 1.14 meets one that HDF5 2.0 wrote with libver="latest": the file opens, and lists its names."""
    path = tmp_path / "bank.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["pid"] = SECRET
        layout = b"\x03\x01" + file["pid"].id.get_offset().to_bytes(8, "little")  # version 3, contiguous, place
    content = path.read_bytes()
    assert content.count(layout) == 1
    path.write_bytes(content.replace(layout, b"\x09" + layout[1:]))
    with opened(path) as file, pytest.raises(DAMAGE) as raised:
        dataset(file, "pid")
    told = unreadable(path, "feature bank", raised.value, "Make it again.")
    assert isinstance(told, OutOfReach) and "is of a newer HDF5 than" in told.wrong


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid", r"no feature bank: it is a pointer of Git LFS.* lfs pull"),
        ("<html><title>404</title>", "no feature bank: it is a web page, '404'"),
        ("", "no feature bank: it is an empty file"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "bank.h5").write_text(content)
    with pytest.raises(UserError, match=words):
        mapped.open_bank(tmp_path / "bank.h5")
