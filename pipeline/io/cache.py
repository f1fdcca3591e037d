"""Folder of the user for what commands keep between runs."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SORN_CACHE"  # of the environment: another folder


def cache_folder() -> Path | None:
    """The folder, absolute, existing or not; None without a home."""
    own = os.environ.get(VARIABLE)
    if own:
        return Path(own).absolute()
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return Path(home).absolute() / "sorn"
