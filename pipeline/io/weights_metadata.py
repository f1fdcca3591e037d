"""Metadata of a weights file, read without its tensors.

Reads *.safetensors; needs no torch.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipeline.errors import UserError
from pipeline.io.file_kind import SAFETENSORS, in_place_of
from pipeline.io.text import JsonValue, parse_json
from sorn.normalisation import IMAGENET, Normalisation

METADATA_KEY = "sorn"  # one key, one JSON text: safetensors writes several keys in no fixed order
NORMALISATION = "normalisation"  # of the network's input; without this entry it is ImageNet's


def read_metadata(path: Path) -> dict[str, JsonValue]:
    """Metadata that `save_weights` stored; {} for a file of another program.

    Raises UserError for a file that is missing, truncated or not safetensors.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, JsonValue] = parse_json((file.metadata() or {}).get(METADATA_KEY, "{}"))
            return metadata
    except (SafetensorError, OSError, ValueError) as error:
        raise unreadable(path, error) from error


def of_this_program(path: Path) -> bool:
    """Whether `save_weights` wrote the file. Raises UserError as `read_metadata` does."""
    try:
        with safe_open(path, framework="numpy") as file:
            return METADATA_KEY in (file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise unreadable(path, error) from error


def described_normalisation(normalisation: Normalisation) -> dict[str, object]:
    """Entry of the metadata; empty for ImageNet's."""
    return {} if normalisation == IMAGENET else {NORMALISATION: [list(values) for values in normalisation]}


def require_normalisation(path: Path, own: Normalisation) -> None:
    """Check that a checkpoint was trained with the normalisation of its network.

    Raises ValueError where it was not, UserError as `read_metadata` does.
    """
    stored = read_metadata(path).get(NORMALISATION, [list(values) for values in IMAGENET])
    try:
        trained = Normalisation.of(*stored)  # type: ignore[misc]
    except (TypeError, ValueError) as error:
        raise ValueError(f"its metadata has {stored} as normalisation") from error
    if not own.like(trained):
        raise ValueError(f"it was trained with images of {trained.text()}, and its network takes {own.text()}")


def unreadable(path: Path, error: Exception) -> UserError:
    """Error for a weights file of this program that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"there are no weights: {path} is missing", "Run `make train`, or give another file.")
    if isinstance(error, PermissionError):
        return UserError(f"{path} may not be read by you", f"Run: chmod u+r {shlex.quote(str(path))}")
    other = in_place_of(path, SAFETENSORS)
    if other is not None:
        return UserError(f"{path} is truncated or no safetensors file: it is {other.what}", other.remedy)
    return UserError(f"{path} is truncated or no safetensors file: {error}", "Run `make train`, or copy it again.")
