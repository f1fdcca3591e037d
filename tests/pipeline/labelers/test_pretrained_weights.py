"""Weight files: the kinds that are read, and that no pickle gets code to run."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from pipeline.labelers.pretrained_weights import read_weights

VALUES = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(3, 2)),
    "c": np.array(5, dtype=np.int64),
    "d": np.arange(3, dtype=">f4"),
}


def same(found: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(VALUES)
    for name, value in VALUES.items():
        assert np.array_equal(found[name].numpy(), value) and found[name].shape == value.shape


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_the_zoo_by_every_protocol(tmp_path: Path, protocol: int) -> None:
    content = {"model": OrderedDict(VALUES), "__author__": "someone"}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(content, protocol))
    same(read_weights(tmp_path / "w.pkl"))


def test_names_of_older_numpy_are_known(tmp_path: Path) -> None:
    text = pickle.dumps({"model": VALUES}, 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "w.pkl").write_bytes(text)
    same(read_weights(tmp_path / "w.pkl"))


def test_files_of_torch_and_safetensors(tmp_path: Path) -> None:
    tensors = {name: torch.from_numpy(np.array(value, value.dtype.newbyteorder("="))) for name, value in VALUES.items()}
    torch.save({"model": tensors, "iteration": 3}, tmp_path / "w.pth")
    same(read_weights(tmp_path / "w.pth"))
    save_file({name: value.contiguous() for name, value in tensors.items()}, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["b"], tensors["b"])


class Mischief:
    """Pickled as a call that makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_no_code_runs(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"model": {"a": Mischief(folder)}}))
    with pytest.raises(UserError, match=r"w\.pkl cannot be read: it wants to call posix\.mkdir"):
        read_weights(tmp_path / "w.pkl")
    torch.save({"a": Mischief(folder)}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth cannot be read: it holds a posix\.mkdir, which could run code"):
        read_weights(tmp_path / "w.pth")
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"a": np.array([Mischief(folder)], object)}))
    with pytest.raises(UserError, match=r"w\.pkl cannot be read"):
        read_weights(tmp_path / "w.pkl")
    assert not folder.exists()


def test_arrays_of_objects_are_no_weights(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"a": np.array(["text", None], object)}))
    with pytest.raises(UserError, match=r"arrays of type O8? are no weights"):
        read_weights(tmp_path / "w.pkl")


def test_files_that_hold_no_weights(tmp_path: Path) -> None:
    whole = pickle.dumps({"model": VALUES})
    for name, content, message in (
        ("w.pkl", whole[: len(whole) // 2], r"w\.pkl cannot be read: .*Fetch the file again"),
        ("w.pkl", b"<html>404</html>", r"w\.pkl cannot be read"),
        ("w.pth", b"<html>404</html>", r"w\.pth cannot be read"),
        ("w.safetensors", b"<html>404</html>", r"w\.safetensors cannot be read"),
        ("w.onnx", b"\0", r"w\.onnx cannot be read: '\.onnx' is no known kind"),
        ("w.pkl", pickle.dumps([1, 2]), r"w\.pkl do not hold tensors by name, but nothing"),
        ("w.pkl", pickle.dumps({"model": {}}), r"w\.pkl do not hold tensors by name, but nothing"),
        ("w.pkl", pickle.dumps({"blobs": {"a": 3}}), r"w\.pkl do not hold tensors by name, but blobs"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_weights(tmp_path / name)
    with pytest.raises(UserError, match=r"there are no weights .*missing\.pkl\. Fetch them"):
        read_weights(tmp_path / "missing.pkl")


@pytest.mark.parametrize(
    "operation",
    [
        b"\x95" + (1 << 40).to_bytes(8, "little"),  # a frame
        b"\x96" + (1 << 40).to_bytes(8, "little"),  # a bytearray
        b"N" + b"r" + (1 << 31).to_bytes(4, "little"),  # None, kept under that number
    ],
    ids=["frame", "bytearray", "number"],
)
def test_a_pickle_takes_no_more_memory_than_the_file_has(tmp_path: Path, operation: bytes) -> None:
    """Found by fuzzing: Python's own reader allocates whatever size the file names."""
    (tmp_path / "w.pkl").write_bytes(b"\x80\x05" + operation + b"N.")
    with pytest.raises(
        UserError, match=r"w\.pkl cannot be read: .*(longer than the file|larger than how many|expected)"
    ):
        read_weights(tmp_path / "w.pkl")
