"""Networks that ship with the program, by name.

Reads weights/<name>/: weights in half precision, config.json, and the stamp.json of the training that made them, which
holds their digests. A file or a run of the user with the same name is always taken first.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError, did_you_mean, reason
from pipeline.io.files import TEMPORARY, digest_file
from pipeline.io.text import read_json
from pipeline.runs import layout
from pipeline.runs.layout import DESCRIPTION, STAMP, WEIGHTS

LABELER_WEIGHTS = "danet.safetensors"
FILES = {"train": (WEIGHTS, DESCRIPTION), "labeler": (LABELER_WEIGHTS, DESCRIPTION)}  # stage -> what it made
NETWORKS = {"train": "SORN", "labeler": "DANet"}
SCHEMA_VERSION = 1  # of the stamp
REINSTALL = "Install the program again: pip install --force-reinstall --no-deps, and the path of the wheel."


@dataclass(frozen=True)
class ShippedNetwork:
    """Network that ships with the program.

    stage: that made it, "train" for SORN and "labeler" for DANet. digests: file -> sha256.
    """

    name: str
    folder: Path
    stage: str
    digests: Mapping[str, str]

    @property
    def network(self) -> str:
        return NETWORKS[self.stage]

    @property
    def weights(self) -> Path:
        return self.folder / FILES[self.stage][0]

    @property
    def sha256(self) -> str:
        """Recorded digest of the weights."""
        return self.digests[self.weights.name]

    @property
    def title(self) -> str:
        """Network and name for messages."""
        return f"the {self.network} '{self.name}', which ships with this program"

    def require_sound(self) -> ShippedNetwork:
        """The network itself.

        Raises UserError for a file that is missing, or is not the one that ships.
        """
        for file, digest in self.digests.items():
            path = self.folder / file
            if not path.is_file():
                raise UserError(f"{self.title}, lacks its file {path}", again(self.folder))
            found = digest_file(path)
            if found != digest:
                wrong = f"{path} of {self.title}, is damaged: its sha256 is {found}, not {digest}"
                raise UserError(wrong, again(self.folder))
        return self

    def require(self, stage: str, use: str) -> ShippedNetwork:
        """The network itself, checked.

        stage: that must have made it. use: for messages. Raises UserError for the other kind of network.
        """
        if self.stage != stage:
            others = ", ".join(one for one in shipped_names() if _stage(one) == stage) or "none"
            wrong = f"'{self.name}' is a {self.network}, and {use} takes a {NETWORKS[stage]}"
            raise UserError(wrong, f"Name another one. {NETWORKS[stage]} that ships: {others}.")
        return self.require_sound()


def shipped_names() -> list[str]:
    """Names of the networks that ship, sorted."""
    folders = [path for path in layout.SHIPPED_DIR.glob("*") if path.is_dir()]
    return sorted(path.name for path in folders if path.name[0] not in "._" and path.suffix != TEMPORARY)


def find_shipped(name: str) -> ShippedNetwork | None:
    """Network that ships under this name; None for another name.

    The digests of its files are not compared. Raises UserError for a record that is missing, damaged or of a newer
    program.
    """
    folder = layout.shipped_folder(name)
    if folder is None:
        return None
    path = folder / STAMP
    try:
        record = read_json(path)
        schema = record["schema_version"]
        if isinstance(schema, int) and schema > SCHEMA_VERSION:
            wrong = f"{path} is of schema {schema}, of a newer program; this one reads schema {SCHEMA_VERSION}"
            raise UserError(wrong, again(folder))
        stage, outputs = record["stage"], record["outputs"]
        return ShippedNetwork(name, folder, stage, {file: str(outputs[file][0]) for file in FILES[stage]})
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        wrong = f"{path}, the record of the network '{name}' that ships, is missing or damaged: {reason(error)}"
        raise UserError(wrong, again(folder)) from error


def shipped_labeler() -> ShippedNetwork | None:
    """First DANet that ships, by name; None if none does."""
    name = next((name for name in shipped_names() if _stage(name) == "labeler"), None)
    return find_shipped(name) if name else None


def ships(folder: Path) -> bool:
    """Whether a folder is that of a network that ships."""
    return folder.parent == layout.SHIPPED_DIR


def require_sound_folder(folder: Path) -> None:
    """Check of a folder if it is a network that ships.

    Raises UserError as `find_shipped` and `ShippedNetwork.require_sound` do.
    """
    found = find_shipped(folder.name) if ships(folder) else None
    if found is not None:
        found.require_sound()


def weights_path(text: str) -> Path:
    """Path of a weights file, also that of a network that ships.

    text: path, or name of the network. Raises UserError for a network that ships and is damaged. Another path need not
    exist.
    """
    found = None if Path(text).is_file() else find_shipped(text)
    return Path(text) if found is None else found.require_sound().weights


def known_networks(given: str = "") -> str:
    """End of a remedy: names of the networks that ship.

    given: the name that was not found; the nearest one is the first.
    """
    names = shipped_names()
    meant = did_you_mean(given, names) if given else ""
    return f"{meant}Networks that ship: {', '.join(names)}." if names else "No network ships with this installation."


def again(folder: Path) -> str:
    """Remedy for a network that ships and is damaged.

    folder: of the network.
    """
    root = folder.parent.parent
    if not (root / "pyproject.toml").is_file():
        return REINSTALL
    return f"Run: git -C {shlex.quote(str(root))} checkout -- {shlex.quote(folder.relative_to(root).as_posix())}"


def _stage(name: str) -> str:
    """Stage that made a network that ships; "" for a damaged record, which its user is told."""
    try:
        found = find_shipped(name)
    except UserError:
        return ""
    return found.stage if found else ""
