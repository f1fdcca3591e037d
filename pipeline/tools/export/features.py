"""Features for other programs: npz, Parquet, or an index of FAISS.

Reads features.h5 of a run, or a bank of `sorn embed`.
"""

from __future__ import annotations

import csv
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.features.store import bank_names, read_attrs, read_bank
from pipeline.io.disk import OUT, require_space, told_when_full
from pipeline.io.files import atomic, write_text
from pipeline.runs.find import find_output
from pipeline.runs.layout import EXPORT
from pipeline.runs.result_paths import Exported
from sorn.features import FeatureBank
from sorn.rules import indicators

logger = logging.getLogger(__name__)

FEATURES = "features.h5"
INSTALL = {"parquet": ("pyarrow", "pip install pyarrow"), "faiss": ("faiss", "pip install faiss-cpu")}
ARRAYS = ("global", "local", "visibility", "part_features", "part_shares")


@dataclass(frozen=True)
class ExportedFeatures:
    """Features of all images of a file, a row per image.

    split: "query", "gallery" or "images". about: attributes of the file.
    """

    split: np.ndarray
    bank: FeatureBank
    about: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> ExportedFeatures:
        """Queries first, then the gallery. Raises UserError as `read_bank` does."""
        sides = {name: read_bank(path, name)[0] for name in bank_names(path)}
        split = np.concatenate([np.full(len(bank), name) for name, bank in sides.items()])
        return cls(split, _joined(list(sides.values())), read_attrs(path))

    def columns(self) -> dict[str, np.ndarray]:
        """Arrays by name, each with a row per image."""
        bank = self.bank
        found = {"split": self.split, "name": bank.name.astype(str), "pid": bank.pid, "camid": bank.camid}
        values = (bank.global_, bank.local, bank.visibility, bank.part_features, bank.part_shares)
        return found | {
            name: array for name, array in zip(ARRAYS, values, strict=True) if array is not None and array[0].size
        }

    def vectors(self, tau: float) -> np.ndarray:
        """Vectors of length 1, float32 [N, D], as the export for trackers gives them."""
        bank = self.bank
        stripes = _units(bank.local) * indicators(bank.visibility, tau)[..., None]
        return _units(np.concatenate([_units(bank.global_), stripes.reshape(len(bank), -1)], axis=1))


def export_features(run: str, runs: Path, out: Path | None, kind: str, tau: float) -> Path:
    """Write the features of a run or a bank.

    run: as for Run.find, or a file. kind: "npz", "parquet" or "faiss". tau: threshold of Eq. 12 for the vectors of an
    index. Raises UserError for a run without features, and for a package that is missing.
    """
    source = _source(run, runs)
    folder = out or (source.parent if source.parent.name != "eval" else source.parent.parent / EXPORT)
    path = Exported(folder).features(kind)
    package = _package(kind)
    found = ExportedFeatures.read(source)
    require_space(path, source.stat().st_size, OUT)
    with told_when_full(path, OUT), atomic(path) as temporary:
        _WRITERS[kind](temporary, found, tau, package)
    if kind == "faiss":
        write_text(path.with_suffix(".csv"), _ids(found))
        logger.info(f"{path.with_suffix('.csv')}: the image of each id")
    logger.info(f"{path}: {len(found.bank):,} images of {source}")
    return path


def _source(run: str, runs: Path) -> Path:
    path = Path(run)
    if path.is_file():
        return path
    folder = find_output(run, runs, "eval", FEATURES)
    if folder is None:
        raise UserError(
            f"'{run}' has no {FEATURES}: it is no evaluated run and no bank of features",
            "Give the name of an evaluated run, or the file of a feature bank.",
        )
    return folder / FEATURES


def _package(kind: str) -> Any:
    """Package that a format needs, imported."""
    if kind not in INSTALL:
        return None
    name, install = INSTALL[kind]
    try:
        return __import__(name)
    except ImportError as error:
        raise UserError(
            f"--features {kind} needs the package {name}, which cannot be imported: {error}",
            f"Run: {install}; or: --features npz.",
        ) from error


def _save_npz(path: Path, found: ExportedFeatures, tau: float, package: Any) -> None:
    with open(path, "wb") as file:
        np.savez(file, **found.columns(), about=np.array(str(found.about.get("config", ""))))  # type: ignore[arg-type]


def _save_parquet(path: Path, found: ExportedFeatures, tau: float, package: Any) -> None:
    """Columns of rows; features are lists of fixed length, and their shapes are in the metadata."""
    import pyarrow
    from pyarrow import parquet

    columns, shapes = {}, {}
    for name, array in found.columns().items():
        if array.ndim == 1:
            columns[name] = pyarrow.array(array)
            continue
        shapes[name] = ",".join(map(str, array.shape[1:]))
        flat = np.ascontiguousarray(array, np.float32).reshape(len(array), -1)
        columns[name] = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(flat.ravel()), flat.shape[1])
    about = {f"shape:{name}": shape for name, shape in shapes.items()} | found.about
    table = pyarrow.table(columns).replace_schema_metadata(about)
    parquet.write_table(table, str(path))


def _save_faiss(path: Path, found: ExportedFeatures, tau: float, package: Any) -> None:
    """Index of inner products of the vectors; the id of an image is its row."""
    vectors = np.ascontiguousarray(found.vectors(tau), np.float32)
    index = package.IndexIDMap2(package.IndexFlatIP(vectors.shape[1]))
    index.add_with_ids(vectors, np.arange(len(vectors), dtype=np.int64))
    package.write_index(index, str(path))


def _ids(found: ExportedFeatures) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("id", "split", "name", "pid", "camid"))
    rows = zip(found.split, found.bank.name, found.bank.pid, found.bank.camid, strict=True)
    writer.writerows((number, *row) for number, row in enumerate(rows))
    return text.getvalue()


def _joined(banks: list[FeatureBank]) -> FeatureBank:
    """One bank of all images."""
    fields = ("global_", "local", "visibility", "pid", "camid", "name", "part_features", "part_shares")
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(bank, field) for bank in banks])
        for field in fields
        if getattr(banks[0], field) is not None
    }
    return FeatureBank(**joined)


def _units(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1 over the last axis; a zero vector stays zero."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


_WRITERS = {"npz": _save_npz, "parquet": _save_parquet, "faiss": _save_faiss}
