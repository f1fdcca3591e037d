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

METADATA_KEY = "sorn"  # one key, one JSON text: safetensors writes several keys in no fixed order


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
