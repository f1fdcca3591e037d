"""Features for other programs: the same numbers in npz, Parquet and FAISS."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from pipeline.cli.app import main
from pipeline.features.store import write_bank, write_banks
from pipeline.tools.export.features import ExportedFeatures
from sorn.features import FeatureBank
from sorn.tracking import one_vector


@pytest.fixture
def bank(tmp_path: Path) -> FeatureBank:
    rng = np.random.default_rng(0)
    ids = np.arange(9)
    whole, local = (rng.normal(size=shape).astype(np.float32) for shape in ((9, 5), (9, 2, 4)))
    names = np.array([f"ü{i}.jpg" for i in range(9)])
    made = FeatureBank(whole, local, rng.random((9, 2), np.float32), ids % 3, ids % 2, names)
    write_bank(tmp_path / "bank.h5", made, {"config": "{}"})
    return made


def export(folder: Path, kind: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["export", str(folder / "bank.h5"), "--features", kind, *words])


def test_npz(tmp_path: Path, bank: FeatureBank) -> None:
    made = export(tmp_path, "npz")
    assert made.exit_code == 0, made.output
    found = np.load(tmp_path / "features.npz")
    np.testing.assert_array_equal(found["global"], bank.global_)
    np.testing.assert_array_equal(found["local"], bank.local)
    assert found["name"].tolist() == bank.name.tolist() and found["split"].tolist() == ["images"] * 9
    assert found["pid"].tolist() == bank.pid.tolist()


def test_second_views_follow_as_rows_of_their_own(tmp_path: Path, bank: FeatureBank) -> None:
    write_banks(
        tmp_path / "bank.h5", bank.with_second(np.array([4]), bank.take(slice(1)).features), bank, {"config": "{}"}
    )
    assert export(tmp_path, "npz").exit_code == 0
    found = np.load(tmp_path / "features.npz")
    assert found["split"].tolist() == ["query"] * 9 + ["gallery"] * 9 + ["placed"]
    assert found["name"][-1] == "ü4.jpg"
    np.testing.assert_array_equal(found["local"][-1], bank.local[0])


def test_parquet(tmp_path: Path, bank: FeatureBank) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    made = export(tmp_path, "parquet")
    assert made.exit_code == 0, made.output
    table = parquet.read_table(tmp_path / "features.parquet")
    assert table.column("name").to_pylist() == bank.name.tolist()
    shape = tuple(map(int, table.schema.metadata[b"shape:local"].decode().split(",")))
    np.testing.assert_array_equal(
        np.array(table.column("local").to_pylist(), np.float32).reshape(9, *shape), bank.local
    )


def test_without_pyarrow_it_is_said_how_to_get_it(
    tmp_path: Path, bank: FeatureBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    refused = export(tmp_path, "parquet")
    assert refused.exit_code == 1 and "pip install pyarrow" in refused.output
    assert not (tmp_path / "features.parquet").exists()


def test_faiss_has_ids(tmp_path: Path, bank: FeatureBank) -> None:
    faiss = pytest.importorskip("faiss")
    made = export(tmp_path, "faiss", "--tau", "0.5")
    assert made.exit_code == 0, made.output
    index = faiss.read_index(str(tmp_path / "features.faiss"))
    with open(tmp_path / "features.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == bank.name.tolist() and [int(row["id"]) for row in rows] == list(range(9))
    vectors = index.index.reconstruct_n(0, 9)
    similarity, ids = index.search(vectors, 1)
    assert ids[:, 0].tolist() == list(range(9))
    np.testing.assert_allclose(similarity, 1, atol=1e-6)
    hidden = bank.visibility < np.float32(0.5)
    assert (vectors[:, 5:].reshape(9, 2, 4)[hidden] == 0).all() and hidden.any()


def test_the_vectors_are_those_of_the_export_for_trackers(tmp_path: Path, bank: FeatureBank) -> None:
    whole, local, scores = (torch.from_numpy(array) for array in (bank.global_, bank.local, bank.visibility))
    output = SimpleNamespace(global_feature=whole, local_features=local, visibility=scores)
    expected = one_vector(output, 0.5)  # type: ignore[arg-type]
    found = ExportedFeatures.read(tmp_path / "bank.h5").vectors(0.5)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_what_has_no_features(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["export", "nothing", "--features", "npz", "--runs", str(tmp_path)])
    assert refused.exit_code == 1 and "'nothing' has no features.h5" in refused.output
