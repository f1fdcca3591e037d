"""Verification of a whole run: state and faults of its folders.

Reads the stamps and all files. A folder is in one of these states:
- `whole`.
- `broken`: a file has changed since it was written, or does not belong to the other files.
- `stale`: it was made from other outputs of the earlier stages, or by another version of its stage.
- `unfinished`: it has files but no stamp.
- `not run`.

The present options are not compared with those of the stamps: `sorn status` does that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import UserError
from pipeline.features.int8.record import RECORD, again, read_record
from pipeline.runs import stamp
from pipeline.runs.checkpoint_info import CheckpointInfo
from pipeline.runs.inputs import OUTSIDE
from pipeline.runs.layout import EXPORT, INT8_FOLDER, STAMP, TABLES
from pipeline.runs.result_paths import TablesPaths
from pipeline.runs.run import STAGES, Run
from pipeline.runs.stamp import Stamp
from pipeline.runtime import distributed
from pipeline.stages import driver
from pipeline.tools.verify import stages as verify_stages
from pipeline.tools.verify.evaluation import evaluation
from pipeline.tools.verify.exports import ExportFiles, compare_network, exported_networks
from pipeline.tools.verify.folders import VerifiedFolder, find_places
from pipeline.tools.verify.hashing import ComparedFiles, FileState, compare_files, read_files
from pipeline.tools.verify.tables import tables

SHARD = ".h5"
GOOD = ("whole", "not run")


@dataclass
class Verified:
    """Result of a verification.

    places: the folders in order, with their faults. files, bytes: number of files and bytes that were read.
    """

    places: list[VerifiedFolder]
    files: int = 0
    bytes: int = 0

    @property
    def checks(self) -> int:
        return sum(place.checks.count for place in self.places)

    @property
    def whole(self) -> bool:
        return all(place.said in GOOD for place in self.places)

    @property
    def guessed(self) -> bool:
        """Whether the command of a broken or stale folder is unknown."""
        bad = [place for place in self.places if place.said not in GOOD and place.stage != EXPORT]
        return any(place.stamp is None or place.stamp.command is None for place in bad)

    def verdict(self) -> str:
        """`whole`, or the number of folders in every other state."""
        said = [place.said for place in self.places]
        return ", ".join(f"{said.count(word)} {word}" for word in dict.fromkeys(said) if word not in GOOD) or "whole"


@dataclass
class Verification:
    """Verification of one run.

    stages: for their versions. images: whether the images of the dataset are read too.
    """

    stages: Mapping[str, driver.Stage]
    run: Run
    images: bool = False
    seen: dict[Path, FileState] = field(default_factory=dict)
    pictures: ComparedFiles = field(default_factory=ComparedFiles)  # images of the dataset, if they are read
    records: verify_stages.Images | None = None
    stored: verify_stages.Stored | None = None
    int8: dict[Path, str] = field(default_factory=dict)  # files of int8 networks -> digests
    trained: dict[Path, CheckpointInfo] = field(default_factory=dict)  # folder -> config.json, of whole ones
    stamps: dict[Path, Stamp | None] = field(default_factory=dict)  # folder -> its stamp
    exported: dict[Path, list[ExportFiles]] = field(default_factory=dict)  # folder -> its networks

    def verify(self) -> Verified:
        """Result of the verification. Raises UserError if nothing of the run exists."""
        places = find_places(self.run)
        if not any(place.used for place in places):
            wrong = f"nothing of {self.run.paths.run_name} is in {self.run.paths.runs}"
            raise UserError(wrong, f"Run: {self.run.make('eval')}, or name another folder with RUNS=.")
        outputs = {}
        for place in places:
            self._read_stamp(place)
            outputs[place.folder] = self._outputs(place)
            if place.stage == EXPORT:
                self.exported[place.folder] = exported_networks(place)
            if place.stage == "train":
                self.int8 |= self._int8(place)
        exported = [file for found in self.exported.values() for network in found for file in network.files]
        shards = {file for place in places if place.stage == "masks" for file in outputs[place.folder]}
        shards = {file for file in shards if file.suffix == SHARD}
        files = dict.fromkeys([*(file for found in outputs.values() for file in found), *exported, *self.int8])
        self.seen = read_files(files, shards, distributed.cores())
        if self.images:
            self._read_pictures(places[0])
        for place in places:
            self._stale(place)
            self._bytes(place, outputs[place.folder])
            self._compare_int8(place)
            self._contents(place)
        stamps = sum(place.stamp is not None for place in places)
        count = len(files) + stamps + self.pictures.files
        return Verified(places, count, sum(one.bytes for one in self.seen.values()) + self.pictures.bytes)

    def _read_stamp(self, place: VerifiedFolder) -> None:
        if place.stage not in STAGES:
            return
        path, checks = place.folder / STAMP, place.checks
        with checks.reading(path):
            place.stamp = made = stamp.read(place.folder)
            if made is None:
                return
            if checks.again == place.run.make(place.stage):
                checks.again = place.run.remembered(made, place.stage) or checks.again
            wrong = f"{path} is the stamp of {made.stage}, schema {made.schema_version}"
            checks.must((made.stage, made.schema_version) == (place.stage, stamp.SCHEMA_VERSION), wrong, path)
            computed = stamp.fingerprint(made.stage, made.version, made.inputs, made.config)
            wrong = f"{path} was changed: its fingerprint is not the one of its inputs and options"
            checks.must(made.fingerprint == computed, wrong, path)
        self.stamps[place.folder] = None if checks.faults else place.stamp

    def _outputs(self, place: VerifiedFolder) -> dict[Path, list[Any]]:
        """File -> its entry in the stamp."""
        found, path = {}, place.folder / STAMP
        for name, entry in place.stamp.outputs.items() if place.stamp else ():
            relative = PurePosixPath(name)
            inside = not relative.is_absolute() and ".." not in relative.parts
            if place.checks.must(inside, f"{path} names an output outside its folder: {name}", path):
                found[place.folder / name] = entry
        return found

    def _int8(self, place: VerifiedFolder) -> dict[Path, str]:
        """Files of the int8 network of a training, with the digests that its record tells."""
        folder, found = place.folder / INT8_FOLDER, None
        with place.checks.reading(folder / RECORD):
            found = read_record(folder)
        return {folder / name: digest for name, digest in found.files.items()} if found else {}

    def _compare_int8(self, place: VerifiedFolder) -> None:
        folder = place.folder / INT8_FOLDER
        for file, digest in self.int8.items():
            if file.parent == folder:
                wrong = f"{file} is missing or was changed after it was written"
                place.checks.must(self.seen[file].sha256 == digest, wrong, file, again(folder))

    def _bytes(self, place: VerifiedFolder, outputs: dict[Path, list[Any]]) -> None:
        """Check that every output is the file that was written."""
        for file, (digest, size, _) in outputs.items():
            one = self.seen[file]
            cut = f"{file} has {one.bytes:,} bytes, it was written with {size:,}"
            readable = place.checks.must(not one.wrong, one.wrong, file, one.remedy)
            if readable and place.checks.must(one.bytes == size, cut, file):
                wrong = f"{file} was changed after it was written: its sha256 is another one"
                place.checks.must(one.sha256 == digest, wrong, file)

    def _stale(self, place: VerifiedFolder) -> None:
        """Check that the folder was made from the present outputs of the earlier stages."""
        if place.stamp is None:
            return
        version = self.stages[place.stage].VERSION
        if place.stamp.version != version:
            place.stale.append(f"{place.stage} changed: version {place.stamp.version} -> {version}")
        for one in place.stamp.made_from:
            if one.stage == OUTSIDE:
                continue
            place.checks.count += 1
            name, folder = one.stored_name(place.stage), place.paths.folder(one.stage)
            before = self.stamps[folder] if folder in self.stamps else _foreign_stamp(folder)
            if before is None:
                place.stale.append(f"{name} came from {folder}, which has no good stamp")
            elif before.provides.get(one.key) != one.digest:
                place.stale.append(f"{name} changed")

    def _contents(self, place: VerifiedFolder) -> None:
        """Compare the files of the folder with each other and with those of the earlier stages."""
        made, checks = place.stamp, place.checks
        if place.stage == TABLES:
            paths = self.run.paths
            tables(TablesPaths.of(paths), paths.runs / paths.run_name, checks)
        elif place.stage == EXPORT:
            self._exported(place)
        elif made is None or checks.broken & {place.folder / STAMP} or made.version != self.stages[place.stage].VERSION:
            return  # a file of another version may look different
        elif place.stage == "data":
            self.records = verify_stages.data(place.paths, made, checks)
            self._compare_pictures(place)
            self.records = None if checks.faults else self.records
        elif place.stage == "labeler":
            verify_stages.labeler(place.paths, made, self.seen, checks)
        elif place.stage == "masks":
            records = None if place.stale else self.records
            stored = verify_stages.masks(place.run, made, self.seen, records, checks)
            self.stored = None if checks.faults else stored
        elif place.stage == "train":
            stored = None if place.stale else self.stored
            described = verify_stages.train(place.paths, made, self.seen, stored, checks)
            if described is not None and not checks.faults:
                self.trained[place.folder] = described
        else:
            trained = None if place.stale else self.trained.get(place.paths.folder("train"))
            readable = self.stored.readable if self.stored and not place.stale else None
            evaluation(place.paths, made, trained, readable, checks)

    def _exported(self, place: VerifiedFolder) -> None:
        training = self.stamps.get(place.paths.folder("train"))
        checkpoint = training.provides.get("checkpoint") if training else None
        again = []
        for network in self.exported[place.folder]:
            stale = compare_network(network, checkpoint, self.seen, place.checks)
            place.stale += stale
            again += [network.again] if stale else []
        place.checks.again = ", then: ".join(again)

    def _read_pictures(self, data: VerifiedFolder) -> None:
        """Read the images of the dataset."""
        with contextlib.suppress(UserError):  # reported when records.csv is checked
            records = data.run.records
            self.pictures = compare_files(records.paths, records.digests, distributed.cores())

    def _compare_pictures(self, data: VerifiedFolder) -> None:
        """Compare the images of the dataset with records.csv."""
        found = self.pictures
        if not found.compared:
            return
        data.checks.count += found.compared - 1
        some = f", first {found.first}; copy again what is damaged" if found.changed else ""
        wrong = f"{found.changed} of {found.compared} images are missing or differ from {data.paths.records}{some}"
        data.checks.must(not found.changed, wrong, data.paths.records)


def _foreign_stamp(folder: Path) -> Stamp | None:
    """Stamp of a training of another run."""
    try:
        return stamp.read(folder)
    except UserError:
        return None
