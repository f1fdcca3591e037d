"""Options in the files of finished runs.

A file format does not change with the program: former names stay, and options that came later are left out while they
have their defaults. So finished runs stay fresh.
"""

from __future__ import annotations

import dataclasses

from pipeline.runs.config import SECTIONS, DanetConfig, EvalConfig, TrainConfig
from sorn.config import LossConfig, ScheduleConfig, SORNConfig

STORED_NAMES = {"stripes": "parts", "keypoints": "pose", "keypoint_options": "pose_options"}
# Option -> its name in files, from before 0.2.

ADDED: dict[str, object] = {
    "danet.width": DanetConfig.width,
    "model.part_branch": SORNConfig.part_branch,
    "loss.identity_smoothing": LossConfig.identity_smoothing,
    "loss.part_weight": LossConfig.part_weight,
    "schedule.shape": ScheduleConfig.shape,
    "train.norms": TrainConfig.norms,
    "train.early": TrainConfig.early,
    "train.average": TrainConfig.average,
    "eval.part_tau": EvalConfig.part_tau,
    "eval.flip": EvalConfig.flip,
    "eval.adapt_norms": EvalConfig.adapt_norms,
    "eval.place": EvalConfig.place,
    "eval.tracks": EvalConfig.tracks,
}
# Option that came later -> its value in files that do not name it.


def as_json(config: object) -> dict[str, object]:
    """JSON value of a section, for stamps, checkpoints and feature banks."""
    values = dataclasses.asdict(config)  # type: ignore[call-overload]
    section = next((name for name, kind in SECTIONS.items() if isinstance(config, kind)), "")
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    left_out = {name.partition(".")[2] for name in ADDED if name.startswith(f"{section}.")}
    named = {key: value for key, value in plain.items() if key not in left_out or value != ADDED[f"{section}.{key}"]}
    return {STORED_NAMES.get(key, key): value for key, value in named.items()}


def read_model(stored: object) -> SORNConfig:
    """Options of a network, as stored by `as_json`.

    Raises TypeError or ValueError for those of another program, naming an option that only a newer one knows.
    """
    if not isinstance(stored, dict):
        raise TypeError(f"options of a network are a table, not {type(stored).__name__}")
    names = {spelling: name for name, spelling in STORED_NAMES.items()}
    values = {names.get(key, str(key)): value for key, value in stored.items()}
    newer = sorted(values.keys() - {field.name for field in dataclasses.fields(SORNConfig)})
    if newer:
        raise ValueError(f"this program does not know its option model.{newer[0]}; a newer one may have written it")
    return SORNConfig(**values)
