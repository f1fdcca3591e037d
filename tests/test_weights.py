"""The networks that ship in this checkout: whole, small, with cards, and told of truly."""

from __future__ import annotations

from pathlib import Path

from pipeline.runs.shipped import find_shipped, shipped_names
from pipeline.tools.weights.pack import CARD, LIMIT

ROOT = Path(__file__).parents[1]
PAGES = ("weights/README.md", "docs/backbones.md", "CHANGELOG.md")
NONE = ("None ships yet", "No network ships yet")


def test_every_network_is_whole_and_has_a_card() -> None:
    for name in shipped_names():
        found = find_shipped(name)
        assert found is not None and found.require_sound().folder.parent == ROOT / "weights"
        assert (found.folder / CARD).read_text(encoding="utf-8").startswith(f"# {name}\n")


def test_all_together_are_small() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "weights").rglob("*") if path.is_file()) <= LIMIT


def test_the_pages_claim_what_ships() -> None:
    for page in PAGES:
        claims_none = any(text in (ROOT / page).read_text(encoding="utf-8") for text in NONE)
        assert claims_none == (not shipped_names()), page
