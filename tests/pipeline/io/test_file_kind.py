"""Kinds of files by their content, under any name."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
import torch
from safetensors.torch import save_file

from pipeline.io.file_kind import HDF5, PICKLE, SAFETENSORS, TORCH, in_place_of, kind_of

ONE = {"a": torch.zeros(2)}


def write_hdf5(path: Path) -> None:
    h5py.File(path, "w").close()


@pytest.mark.parametrize(
    ("name", "write"),
    [
        (TORCH, lambda path: torch.save(ONE, path)),
        (TORCH, lambda path: torch.save(ONE, path, _use_new_zipfile_serialization=False)),
        (SAFETENSORS, lambda path: save_file(ONE, path)),
        (SAFETENSORS, lambda path: save_file({}, path)),
        (HDF5, write_hdf5),
        (PICKLE, lambda path: path.write_bytes(b"\x80\x04}.")),
    ],
)
def test_a_kind_that_is_read_here_is_told_by_its_content(tmp_path: Path, name: str, write) -> None:
    path = tmp_path / "file.txt"
    write(path)
    kind = kind_of(path)
    assert kind is not None and kind.name == name
    assert in_place_of(path, name) is None
    assert in_place_of(path, "another") == kind


def test_what_is_unknown_missing_or_short_has_no_kind(tmp_path: Path) -> None:
    for content in (b"a", b"text", b"\xff" * 8, b"\xff" * 7 + b"\x7f{", b"PK"):
        (tmp_path / "file").write_bytes(content)
        assert kind_of(tmp_path / "file") is None
    assert in_place_of(tmp_path / "missing", TORCH) is None


def test_a_header_that_is_no_table_is_no_error(tmp_path: Path) -> None:
    for header in (b"{}", b"{]", b'{"a": 3}', b'{"a": {"data_offsets": []}}', b'{"a": {"data_offsets": [0, "b"]}}'):
        (tmp_path / "file").write_bytes(len(header).to_bytes(8, "little") + header)
        kind = kind_of(tmp_path / "file")
        assert kind is not None and kind.name == SAFETENSORS
