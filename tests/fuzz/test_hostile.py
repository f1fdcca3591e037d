"""Files by somebody who means harm, made by hypothesis: a reader takes them, or says in a sentence why not.

What a fuzzer that changes bytes hardly ever makes: JSON and TOML that can be read and say the wrong things, tables with
paths that lead elsewhere, HDF5 files of other types and shapes. The fuzzer itself is fuzz.py (`make fuzz`).
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import sys
from pathlib import Path
from typing import Any, get_type_hints

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.datasets import csv_list
from pipeline.datasets.manifest import load_manifest
from pipeline.errors import UserError
from pipeline.runs.config import Config
from pipeline.runs.config_loading import load_config

sys.path.append(str(Path(__file__).parent))
from targets import TARGETS, new_folder

SOME = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([0, -1, 1 << 31, 1 << 63, 1e308])
TEXTS = st.text(max_size=20) | st.sampled_from(["", "..", "../../x", "/etc/passwd", "a\0b", "\ud800", "é" * 300, "<b>"])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXTS, v, max_size=3), max_leaves=6)
WORDS = ("stamp", "index", "report", "trained", "skeletons", "silhouettes")  # readers of JSON


@pytest.fixture(scope="module")
def folder() -> Path:
    return new_folder()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value: () is the whole of it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inner for place in places(child, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


@pytest.mark.parametrize("name", WORDS)
@SOME
@given(data=st.data())
def test_json_that_says_something_else(folder: Path, name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    document = json.loads(target.seeds(folder)[0])
    for _ in range(data.draw(st.integers(1, 3))):
        document = replaced(document, data.draw(st.sampled_from(places(document))), data.draw(VALUES))
    target.try_bytes(folder, json.dumps(document).encode())


OPTIONS = [
    f"{section.name}.{option.name}"
    for section in dataclasses.fields(Config)
    for option in dataclasses.fields(get_type_hints(Config)[section.name])
]


@SOME
@given(option=st.sampled_from(OPTIONS), value=VALUES)
def test_options_of_any_value(option: str, value: Any) -> None:
    """--set takes TOML; JSON is much of it."""
    try:
        load_config("demo", (f"{option}={json.dumps(value)}",))
    except UserError as error:
        assert option.partition(".")[2] in error.wrong and error.remedy
    except UnicodeEncodeError:
        assert "\\ud800" in json.dumps(value)  # no terminal can say that


CELLS = st.text(max_size=8) | st.sampled_from(
    [
        "a.png",
        "../outside.png",
        "/etc/passwd",
        "link/outside.png",
        "a.png\n",
        "-1",
        "0",
        "1e9",
        "9" * 30,
        "train",
        "query",
    ]
)


@SOME
@given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=6))
def test_a_table_of_pictures_never_leads_out_of_its_folder(tmp_path_factory, rows: list[list[str]]) -> None:
    root = tmp_path_factory.mktemp("root")
    outside = root / "outside.png"
    inside = root / "inside"
    inside.mkdir()
    for path in (outside, inside / "a.png"):
        path.write_bytes(b"")
    (inside / "link").symlink_to(root)
    text = io.StringIO()
    csv.writer(text).writerows([["path", "pid", "camid", "split"], *rows])
    (inside / "mine.csv").write_text(text.getvalue(), encoding="utf-8", errors="replace")
    try:
        found = csv_list.find_records(load_manifest(str(inside / "mine.csv")))
    except UserError as error:
        assert error.remedy
        return
    for record in found.records:
        assert record.path.resolve().is_relative_to(inside.resolve()), record.path


@pytest.mark.parametrize("name", ["shard", "banks", "bank"])
@SOME
@given(data=st.data())
def test_hdf5_of_other_types_and_shapes(folder: Path, name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    path = folder / "changed.h5"
    path.write_bytes(target.seeds(folder)[0])
    with h5py.File(path, "r+") as file:
        held: list[str] = []
        file.visit(held.append)
        for _ in range(data.draw(st.integers(1, 2))):
            if data.draw(st.booleans()):
                attribute = data.draw(st.sampled_from(sorted(file.attrs)))
                file.attrs[attribute] = data.draw(
                    st.integers(-(2**63), 2**63 - 1) | st.floats() | st.just("text") | st.just(np.bytes_(b"{}"))
                )
                continue
            place = data.draw(st.sampled_from(held))
            kinds = arrays.scalar_dtypes() | st.just(np.dtype("S3"))
            kinds = kinds.filter(lambda kind: kind.kind in "biufcS" and kind.itemsize in (1, 2, 3, 4, 8, 16))
            shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
            new = np.zeros(shape, data.draw(kinds))
            if isinstance(file.get(place.rpartition("/")[0] or "/"), h5py.Group):
                if place in file:
                    del file[place]
                file[place] = new
    target.try_bytes(folder, path.read_bytes())


@pytest.mark.parametrize("name", ["weights", "metadata"])
@SOME
@given(data=st.data())
def test_weights_whose_header_says_something_else(folder: Path, name: str, data: st.DataObject) -> None:
    """safetensors: 8 bytes of length, a JSON header, the numbers."""
    target = TARGETS[name]
    whole = target.seeds(folder)[0]
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    header = replaced(header, data.draw(st.sampled_from(places(header))), data.draw(VALUES))
    text = json.dumps(header).encode()
    said = data.draw(st.sampled_from([len(text), len(text) + 1, 0, 1 << 40, (1 << 64) - 1]))
    target.try_bytes(folder, said.to_bytes(8, "little") + text + whole[8 + length :])
