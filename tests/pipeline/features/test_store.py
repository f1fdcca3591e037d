"""features.h5: read back as written, the same bytes every time, checked before it is believed."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.features.bank_values import zero_images
from pipeline.features.store import (
    BankRows,
    Examples,
    bank_names,
    join_banks,
    read_attrs,
    read_bank,
    read_banks,
    write_bank,
    write_banks,
)
from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.rules import Rule

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


def with_part_groups(bank: FeatureBank) -> FeatureBank:
    rng, shape = np.random.default_rng(len(bank)), (len(bank), 3)
    features = rng.normal(size=(*shape, 4)).astype(np.float32)
    return dataclasses.replace(bank, part_features=features, part_shares=rng.random(shape, dtype=np.float32))


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


def test_second_views_of_queries_are_read_back(tmp_path: Path) -> None:
    of, placed = np.array([1, 4]), make_bank("placed", 2)
    query = make_bank("query", 5).with_second(of, placed.features)
    write_banks(tmp_path / "features.h5", query, make_bank("gallery", 7), ATTRS)
    assert bank_names(tmp_path / "features.h5") == ("query", "gallery", "placed")
    write_bank(tmp_path / "chunk.h5", query, ATTRS)
    for found in (read_banks(tmp_path / "features.h5").query, read_bank(tmp_path / "chunk.h5")[0]):
        assert found.second is not None and found.second.of.tolist() == [1, 4]
        assert np.array_equal(found.second.bank.local, placed.local) and np.array_equal(found.local, query.local)
        assert found.second.bank.name.tolist() == ["query/ü1.jpg", "query/ü4.jpg"]
    assert read_bank(tmp_path / "features.h5", "placed")[0].pid.tolist() == [1, 4]
    assert read_bank(tmp_path / "features.h5", "gallery")[0].second is None
    pieces = [query.take(slice(0, 2)), query.take(slice(2, 5))]
    joined = tmp_path / "joined.h5"
    join_banks(joined, BankRows(5, pieces), BankRows(7, [make_bank("gallery", 7)]), ATTRS)
    assert joined.read_bytes() == (tmp_path / "features.h5").read_bytes()


@pytest.mark.parametrize("names", [["query/ü4.jpg", "query/ü1.jpg"], ["query/ü1.jpg", "query/ü9.jpg"]])
def test_second_views_of_other_images_are_refused(tmp_path: Path, names: list[str]) -> None:
    query = make_bank("query", 5).with_second(np.array([1, 4]), make_bank("placed", 2).features)
    write_banks(tmp_path / "features.h5", query, make_bank("gallery", 7), ATTRS)
    with h5py.File(tmp_path / "features.h5", "r+") as file:
        file["placed/name"][:] = [name.encode() for name in names]
    with pytest.raises(UserError, match="placed holds other images"):
        read_banks(tmp_path / "features.h5")


def test_the_same_features_give_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.h5").read_bytes() == write(tmp_path / "b.h5").read_bytes()


def equal(found: FeatureBank, expected: FeatureBank) -> bool:
    pairs = [(getattr(found, field.name), getattr(expected, field.name)) for field in dataclasses.fields(FeatureBank)]
    return all(a is b if a is None or b is None else np.array_equal(a, b) for a, b in pairs)


def test_banks_that_come_in_pieces_give_the_same_bytes(tmp_path: Path) -> None:
    query, gallery = make_bank("query", 5), make_bank("gallery", 7)
    pieces = [query.take(np.arange(2)), query.take(np.arange(2, 3)), query.take(np.arange(3, 5))]
    join_banks(tmp_path / "a.h5", BankRows(5, iter(pieces)), BankRows(7, [gallery]), ATTRS, make_examples(2))
    assert (tmp_path / "a.h5").read_bytes() == write(tmp_path / "b.h5").read_bytes()


def test_a_bank_of_its_own_and_one_side_of_an_evaluation(tmp_path: Path) -> None:
    path, evaluation = tmp_path / "own" / "bank.h5", write(tmp_path / "features.h5")
    write_bank(path, make_bank("images", 3), ATTRS)
    bank, attrs = read_bank(path)
    assert equal(bank, make_bank("images", 3)) and attrs == ATTRS
    assert [bank_names(file) for file in (path, evaluation)] == [("images",), ("query", "gallery")]
    assert equal(read_bank(evaluation, "gallery")[0], make_bank("gallery", 7))
    with h5py.File(path) as file:
        assert file["images/global"].shape == (3, 8) and file["images/name"].asstr()[2] == "images/ü2.jpg"
        assert file.attrs["schema_version"] == 3 and list(file) == ["images"]
    with pytest.raises(UserError, match=r"features\.h5 holds no feature bank 'images', but 'query' and 'gallery'\."):
        read_bank(evaluation)
    with pytest.raises(UserError, match=r"bank\.h5 holds no feature bank 'query', but 'images'\."):
        read_bank(path, "query")
    with pytest.raises(UserError, match=r"is missing\. Make it again: sorn embed"):
        read_bank(tmp_path / "none.h5")


def test_part_groups_are_in_the_file_of_a_network_that_has_them(tmp_path: Path) -> None:
    query, gallery = with_part_groups(make_bank("query", 5)), with_part_groups(make_bank("gallery", 7))
    write_banks(tmp_path / "features.h5", query, gallery, ATTRS, make_examples(2))
    banks = read_banks(tmp_path / "features.h5")
    assert equal(banks.query, query) and equal(banks.gallery, gallery)
    assert isinstance(banks.gallery.part_features, np.memmap)
    with h5py.File(write(tmp_path / "without.h5")) as file:
        assert not any(key.startswith("part_") for side in ("query", "gallery") for key in file[side])
    with h5py.File(tmp_path / "features.h5", "a") as file:
        del file["gallery/part_features"]
    with pytest.raises(UserError, match="fields of another shape: part_shares"):
        read_banks(tmp_path / "features.h5")
    write_banks(tmp_path / "mixed.h5", query, make_bank("gallery", 7), ATTRS)
    with pytest.raises(UserError, match="query and gallery features of different sizes"):
        read_banks(tmp_path / "mixed.h5")


def test_a_bank_in_other_types_is_written_in_its_own(tmp_path: Path) -> None:
    bank = make_bank("images", 3)
    write_bank(tmp_path / "bank.h5", dataclasses.replace(bank, pid=bank.pid.astype(np.int32)), {})
    assert read_bank(tmp_path / "bank.h5")[0].pid.dtype == np.int64


def test_zero_features_match_nothing(tmp_path: Path) -> None:
    bank = make_bank("images", 4)
    bank.global_[1:3] = 0
    bank.local[2:] = 0
    assert zero_images(bank).tolist() == [False, False, True, False]
    write_bank(tmp_path / "bank.h5", bank, {})
    bank.global_[:], bank.local[:] = 0, 0
    with pytest.raises(UserError, match="the features of all 4 images of images are zero and match nothing"):
        write_bank(tmp_path / "zero.h5", bank, {})
    assert [path.name for path in tmp_path.iterdir()] == ["bank.h5"]


def test_no_images_and_no_shares_are_refused(tmp_path: Path) -> None:
    bank = make_bank("images", 3)
    with pytest.raises(UserError, match=r"bank\.h5: images holds no images"):
        write_bank(tmp_path / "bank.h5", bank.take(np.arange(0)), {})
    bank = with_part_groups(bank)
    for field in ("visibility", "pose", "segmenter", "part_shares"):
        wrong = dataclasses.replace(bank, **{field: np.full((3, 3), 1.5, np.float32)})
        with pytest.raises(UserError, match=rf"images/{field} has values outside \[0, 1\]"):
            write_bank(tmp_path / "bank.h5", wrong, {})


@pytest.mark.parametrize(
    ("key", "dataset", "message"),
    [
        ("query/global", np.zeros((5, 8)), r"/query/global is float64 \[5, 8\], expected float32 with 2 axes"),
        ("query/local", np.zeros((5, 3), np.float32), r"/query/local is float32 \[5, 3\], expected .* with 3 axes"),
        ("gallery/pid", np.zeros(7, np.float32), r"/gallery/pid is float32 \[7\], expected int64"),
        ("gallery/name", np.arange(7), r"/gallery/name is int64 \[7\], expected text"),
        ("gallery/visibility", np.zeros((7, 2), np.float32), "fields of another shape: visibility"),
        ("gallery/visibility", None, "truncated or no feature bank: "),
        ("examples/parts", np.zeros((2, 16, 8)), "/examples/parts is float64"),
    ],
)
def test_datasets_that_are_something_else(tmp_path: Path, key: str, dataset: np.ndarray | None, message: str) -> None:
    path = write(tmp_path / "features.h5")
    with h5py.File(path, "r+") as file:
        del file[key]
        if dataset is None:
            file.create_group(key)
        else:
            file[key] = dataset
    with pytest.raises(UserError, match=message):
        read_banks(path)


@pytest.mark.parametrize("key", ["query/global", "examples/maps"])
def test_sizes_that_the_file_cannot_hold_are_refused_before_memory_is_taken(tmp_path: Path, key: str) -> None:
    path = write(tmp_path / "features.h5")
    with h5py.File(path, "r+") as file:
        axes, kind = file[key].ndim, file[key].dtype
        del file[key]
        file.create_dataset(key, (10**11, *(8,) * (axes - 1)), kind, chunks=(4,) * axes)  # nothing of it is stored
    with pytest.raises(UserError, match=r"is truncated or no feature bank: .* claims [0-9,]{15,} bytes more"):
        read_banks(path)


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
    with pytest.raises(UserError, match="is of schema version 4, this program of 3"):
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


def test_features_that_are_all_zero_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "features.h5")
    with h5py.File(path, "r+") as file:
        file["query/global"][:], file["query/local"][:] = 0, 0
    with pytest.raises(UserError, match="the features of all 5 images of query are zero"):
        read_banks(path)


def resident(array: np.ndarray) -> int:
    """Bytes of a mapped array that are in the memory of this process."""
    sizes, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            start, stop = (int(text, 16) for text in line.split()[0].split("-"))
            inside = start <= array.ctypes.data < stop
        elif inside and line.startswith("Rss:"):
            sizes += 1024 * int(line.split()[1])
    return sizes


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="memory is told by Linux")
def test_features_of_an_evaluation_stay_on_the_disk(tmp_path: Path) -> None:
    bank = make_bank("gallery", 4000)
    bank = dataclasses.replace(bank, global_=np.random.default_rng(0).random((4000, 512), np.float32))
    query = dataclasses.replace(make_bank("query", 2), global_=np.ones((2, 512), np.float32))
    write_banks(tmp_path / "features.h5", query, bank, ATTRS)
    mapped = read_banks(tmp_path / "features.h5").gallery
    assert resident(mapped.global_) < 1 << 20
    part = mapped.take(slice(1000, 4000))
    assert np.array_equal(part.global_, bank.global_[1000:]) and resident(mapped.global_) > 5 << 20
    part.forget()
    assert resident(mapped.global_) == 0
    assert np.array_equal(mapped.global_, bank.global_), "read again"
    every_third = np.arange(0, 4000, 3)
    for rows in (every_third, np.isin(np.arange(4000), every_third)):
        assert np.array_equal(mapped.take(rows).global_, bank.global_[::3]) and resident(mapped.global_) == 0
    for _ in similarity_blocks(query, mapped, [Rule("global")]):
        assert resident(mapped.global_) == 0


def test_features_are_read_where_the_disk_cannot_map_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "features.h5")
    monkeypatch.setattr(np, "memmap", lambda *given: (_ for _ in ()).throw(OSError(19, "No such device")))
    assert equal(read_banks(path).gallery, make_bank("gallery", 7))
    assert f"{path}: /gallery/local cannot be mapped, so it is read into memory: " in caplog.text


def test_too_little_room_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage(tmp_path))(total=10**9, used=10**9 - 1000, free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"features\.h5 needs 1\.1 MB, but only 0\.0 MB are free there"):
        write(tmp_path / "features.h5")
    assert list(tmp_path.iterdir()) == []
