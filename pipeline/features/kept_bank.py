"""Feature banks of folders of pictures, kept in files.

Reads pictures; reads and writes bank.h5, in the schema of `pipeline.features.store`. A bank records the digest of every
picture. When pictures of the folder were added, changed, moved or removed, only those with new content are extracted;
the features of the others are taken from the file. All forward passes have one size, so it is the bank that a new
extraction would write.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.image_folder import PictureFolder, counted
from pipeline.errors import UserError
from pipeline.features import store
from pipeline.features.embedding import Embedder, embed, empty_rows, own_bank
from pipeline.features.mapped import MappedBank, open_bank
from pipeline.io.cache import cache_folder
from pipeline.io.disk import OUT, require_space
from pipeline.io.files import digest_json
from pipeline.io.hdf5 import OutOfReach
from sorn.features import FeatureBank, Features

logger = logging.getLogger(__name__)

EMBEDDING_VERSION = 1  # increased when a bank changes for the same checkpoint and pictures
UNREAD = "-"  # digest of a picture that cannot be read


@dataclass(frozen=True)
class KeptFeatures:
    """Features of an earlier extraction.

    bank: may be mapped. states: name -> (state, sha256) of every picture. rows: sha256 -> row of the bank.
    """

    bank: FeatureBank
    states: dict[str, tuple[str, str]]
    rows: dict[str, int]


def kept_bank(embedder: Embedder, folder: PictureFolder, path: Path, level: int = logging.WARNING) -> MappedBank:
    """Bank of the pictures in the file `path`, brought up to date.

    level: of the message about what was done. Raises UserError for a file that is not a bank of the user's own
    pictures: it is not replaced.
    """
    attrs = _attrs(embedder, folder)
    if path.exists():
        _require_own(path)
        if store.read_attrs(path).get("fingerprint") == attrs["fingerprint"]:
            logger.log(level, f"{path} holds the features of this network and these pictures already")
            return open_bank(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    logger.log(level, _write(embedder, folder, path, attrs))
    return open_bank(path)


def cached_bank(embedder: Embedder, folder: PictureFolder) -> MappedBank:
    """Bank of the pictures, kept in the cache folder.

    It is in memory where the cache cannot be written. A damaged file of the cache is made again.
    """
    path = cache_path(embedder, folder)
    if path is None:
        return bank_in_memory(embedder, folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # features of people are for their owner alone
        if path.exists() and _damaged(path):
            path.unlink()
        return kept_bank(embedder, folder, path, logging.INFO)
    except (OSError, UserError) as error:
        logger.warning(f"the features of {folder.place} are not kept: {error}")
        return bank_in_memory(embedder, folder)


def _damaged(path: Path) -> bool:
    try:
        open_bank(path)
    except OutOfReach:
        raise
    except UserError:
        return True
    return False


def cache_path(embedder: Embedder, folder: PictureFolder) -> Path | None:
    """File of the cache for the bank of a folder.

    There is one for each folder, checkpoint and precision. None without a cache.
    """
    cache = cache_folder()
    if cache is None:
        return None
    digest = digest_json([str(folder.place.resolve()), embedder.sha256, embedder.config])
    return cache / f"{folder.place.resolve().name}-{digest[:16]}.h5"


def bank_in_memory(embedder: Embedder, folder: PictureFolder) -> MappedBank:
    """Bank of the pictures, without a file."""
    bank, left_out = embed(embedder, folder, folder.names)
    left_out = folder.others | left_out
    return MappedBank(folder.place, _some(bank, folder, left_out), _attrs(embedder, folder) | _made(embedder, left_out))


def _write(embedder: Embedder, folder: PictureFolder, path: Path, attrs: dict[str, str]) -> str:
    """Write the bank, with features of the file `path` where it has them.

    Returns a text on what was done.
    """
    started, old = time.monotonic(), _earlier(embedder, path)
    states = _states(folder, old.states if old else {})
    known = old.rows if old else {}
    new = {digest: name for name, (_, digest) in reversed(states.items()) if digest not in known}
    features = 4 * embedder.inference.network.feature_width * len(states) if new else 0  # float32
    require_space(path, 2 * features, OUT)  # once more while they are computed
    fresh, unread = embed(embedder, folder, sorted(new.values()), path.parent) if new else (None, {})
    rows = {states[str(name)][1]: row for row, name in enumerate(fresh.name)} if fresh else {}
    names = [name for name, (_, digest) in states.items() if digest in rows or digest in known]
    wrong = {states[name][1]: text for name, text in unread.items()}
    left_out = folder.others | {name: wrong[digest] for name, (_, digest) in states.items() if digest in wrong}
    banks = (fresh, rows), (old.bank if old else None, known)
    bank = _some(_joined(banks, [states[name][1] for name in names], names, path.parent), folder, left_out)
    origins = [states[name] for name in names]
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    store.write_bank(temporary, bank, attrs | _made(embedder, left_out), origins)
    os.replace(temporary, path)
    gone = len(old.states.keys() - set(names)) if old else 0
    counts = f"features of {len(rows):,} pictures extracted, {len(names) - len(rows):,} known, {gone:,} gone"
    return f"{path}: {counts}, in {time.monotonic() - started:.1f} s"


def _earlier(embedder: Embedder, path: Path) -> KeptFeatures | None:
    """Features of the file that this network would give again on this machine; None without a file or for others."""
    if not path.exists():
        return None
    try:
        origins, mapped = store.read_origins(path), open_bank(path)
    except OutOfReach:
        raise
    except UserError:
        return None
    wanted = {"checkpoint_sha256": embedder.sha256, "config": embedder.config, "machine": _machine(embedder)}
    if len(origins) != len(mapped.bank) or any(mapped.attrs.get(key) != value for key, value in wanted.items()):
        return None
    names = [str(name) for name in mapped.bank.name]
    rows = {digest: row for row, (_, digest) in reversed(list(enumerate(origins)))}
    return KeptFeatures(mapped.bank, dict(zip(names, origins, strict=True)), rows)


def _states(folder: PictureFolder, before: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """State and sha256 of each picture by name. A file of the state of `before` is not read again."""
    found = {}
    for name in folder.names:
        state = folder.state(name)
        old = before.get(name)
        found[name] = old if old and old[0] == state else (state, _digest(folder, name))
    return found


def _digest(folder: PictureFolder, name: str) -> str:
    try:
        return folder.content(name)
    except OSError:
        return f"{UNREAD}{folder.path(name)}"  # a digest of its own: the reader names what is wrong


def _joined(
    banks: Sequence[tuple[FeatureBank | None, dict[str, int]]], digests: list[str], names: list[str], scratch: Path
) -> FeatureBank | None:
    """Bank with the row of each digest, from the first of the banks that has it. Each with its rows by digest."""
    example = next((bank for bank, _ in banks if bank is not None), None)
    if example is None or not names:
        return None
    fields = Features(*(empty_rows(len(names), values.shape[1:], scratch) for values in example.features))
    for number, digest in enumerate(digests):
        found, row = next((bank.features, rows[digest]) for bank, rows in banks if bank is not None and digest in rows)
        for field, values in zip(fields, found, strict=True):
            field[number] = values[row]
    return own_bank(fields, names)


def _some(bank: FeatureBank | None, folder: PictureFolder, left_out: dict[str, str]) -> FeatureBank:
    """The bank. Raises UserError where there is none, as no picture can be read."""
    if bank is None:
        raise UserError(f"no picture in {folder.place} can be read: {counted(left_out)}", folder.remedy)
    return bank


def _attrs(embedder: Embedder, folder: PictureFolder) -> dict[str, str]:
    """Sources of a bank; `fingerprint` is the digest of all others."""
    attrs = {
        "checkpoint_sha256": embedder.sha256,
        "config": embedder.config,
        "image_size": json.dumps(list(embedder.image_size)),
        "folder": str(folder.root.absolute()),
        "files": folder.digest,
    } | folder.attrs
    return attrs | {"fingerprint": digest_json([EMBEDDING_VERSION, attrs])}


def _machine(embedder: Embedder) -> str:
    return f"embedding {EMBEDDING_VERSION}, images of {embedder.image_size}, {embedder.machine}"


def _made(embedder: Embedder, left_out: dict[str, str]) -> dict[str, str]:
    """Further attributes of a bank. `batch_size`: of its forward passes, also used for queries."""
    text = counted(left_out) if left_out else ""
    return {"left_out": text, "batch_size": str(embedder.most), "machine": _machine(embedder)}


def _require_own(path: Path) -> None:
    remedy = "Give another file as --out, or delete this one."
    try:
        own = "folder" in store.read_attrs(path)
    except OutOfReach:
        raise
    except UserError as error:
        raise UserError(f"{error.wrong}; it is not replaced", remedy) from error
    if not own:
        raise UserError(f"{path} is the feature bank of an evaluation; it is not replaced", remedy)
