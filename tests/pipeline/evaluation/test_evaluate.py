"""The full name of a protocol: what a figure was measured with."""

from __future__ import annotations

import dataclasses

from pipeline.datasets.manifest import load_manifest
from pipeline.evaluation.evaluate import protocol_text
from pipeline.runs.config import EvalConfig


def test_a_protocol_names_options_that_change_the_features_and_only_those_that_are_on() -> None:
    manifest = load_manifest("synped_cut")
    options = EvalConfig()
    plain = protocol_text(manifest, manifest.find_protocol("default"), options, None, {})
    assert plain.startswith("SynPed (people cut off), split test, protocol default: People cut off by the border")
    assert plain.endswith("; standard AP; tau 0.15")
    changed = dataclasses.replace(options, flip=True, adapt_norms=True, place=True, tracks=True)
    text = protocol_text(manifest, manifest.find_protocol("default"), changed, None, {})
    mirrored, adapted = "features averaged with those of mirror images", "norms adapted to the unlabelled gallery"
    placed = "cut pictures put where the parts in them belong"
    tracks = "features averaged over the frames of each track"
    assert text == f"{plain}; {mirrored}; {placed}; {tracks}; {adapted}"
    either = protocol_text(manifest, manifest.find_protocol("default"), EvalConfig(place="either"), None, {})
    assert either == f"{plain}; cut queries compared as they are and at their place, and the larger similarity counts"
