"""Rows about labels of DANet and DensePose.

Labels of a picture alone, in batches, and the CPU's are compared.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from pipeline import labelers
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.labelers import densepose_model
from pipeline.labelers.base import Source
from pipeline.runs.config import Runtime
from pipeline.tools.gpu_check.made_up import draw_person
from pipeline.tools.gpu_check.outcome import NOT_THERE, Outcome, below, judged
from pipeline.tools.gpu_check.setting import CheckSetting, execute

IN_BATCHES = 99.0  # %, least share of pixels with the class that the picture has alone
ON_CPU = {"fp32": 99.5, "auto": 97.0}  # %, least share with the CPU's class in fp32, by the precision here
MODEL = "densepose_rcnn_R_50_FPN_s1x"
SPREAD = 30.0  # of DensePose's random scores: else all classes are equally probable
DAMPED = 0.1  # of its backbone's random norms: else its features overflow


def danet(setting: CheckSetting) -> Outcome:
    """Labels of a DANet that is trained on the device.

    The pictures are of other people.
    """
    run = setting.run(labels="danet")
    execute(run, "labeler")
    options = {"weights": str(run.paths.labeler_checkpoint)}
    return compared(setting, "danet", options, setting.sizes.people * setting.sizes.pictures)


def densepose(setting: CheckSetting) -> Outcome:
    """Labels of DensePose with random weights.

    They mean nothing, and must be the same everywhere.
    """
    try:
        densepose_model.configuration(MODEL)
    except UserError as error:
        return Outcome(NOT_THERE, reason=error.wrong)
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        options = {"model": MODEL, "weights": str(random_weights(Path(folder) / "random.pth"))}
        return compared(setting, "densepose", options, 4 if setting.pretend else 16)


def random_weights(file: Path) -> Path:
    """File of random weights for DensePose.

    Its features stay finite, and its classes differ.
    """
    torch.manual_seed(0)
    weights = densepose_model.build(MODEL, torch.device("cpu"), 0.5).state_dict()
    for name, value in weights.items():
        if "backbone.bottom_up" in name and "norm.weight" in name:
            value *= DAMPED
        if "densepose_predictor" in name and name.endswith("weight"):
            value *= SPREAD
    torch.save(weights, file)
    return file


def compared(setting: CheckSetting, labeler: str, options: Mapping[str, object], pictures: int) -> Outcome:
    """Comparison of labels: alone, in batches, on the CPU."""
    images = [draw_person(setting.sizes, 100 + number, 0)[0] for number in range(pictures)]

    def label(device: str, precision: str, batch: int) -> tuple[list[np.ndarray], float]:
        return labelled(setting, labeler, {**options, "precision": precision, "batch": batch}, device, images)

    on_cpu, _ = label("cpu", "fp32", 1)
    values: dict[str, float | str] = {}
    wrong: list[str] = []
    for precision, least in ON_CPU.items():
        alone, _ = label(setting.device, precision, 1)
        together, rate = label(setting.device, precision, 32)
        batches, cpu = agreement(alone, together), agreement(together, on_cpu)
        values |= {f"batches_{precision}": batches, f"cpu_{precision}": cpu, f"rate_{precision}": rate}
        wrong += below(f"pixels as alone, {precision}", batches, IN_BATCHES, " %")
        wrong += below(f"pixels as the CPU's, {precision}", cpu, least, " %")
    classes = len(np.unique(np.concatenate([mask.ravel() for mask in on_cpu])))
    if classes < 2:
        wrong.append("the CPU's labels have one class: they compare nothing")
    figure = (
        f"pixels as alone {values['batches_auto']:.4g} %, as the CPU's {values['cpu_auto']:.4g} % "
        f"({values['cpu_fp32']:.4g} % in fp32); {values['rate_auto']:.0f} images/s"
    )
    return judged(figure, values | {"classes": float(classes)}, wrong)


def labelled(
    setting: CheckSetting, labeler: str, options: Mapping[str, object], device: str, images: list[np.ndarray]
) -> tuple[list[np.ndarray], float]:
    """Masks of the images, and images per second of a second pass."""
    run = setting.run(labels=labeler)
    work = labelers.create(labeler, options, Source(run.manifest, setting.folder))
    work.prepare([], Runtime(device=device))
    records = [
        ImageRecord(f"train/{number}.png", Path(f"{number}.png"), 0, 0, "train") for number in range(len(images))
    ]
    found = work.label(records, images)
    start = time.perf_counter()
    work.label(records, images)
    return [one.mask for one in found], len(images) / (time.perf_counter() - start)


def agreement(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """Share of the pixels with the same class, %."""
    same = [(a == b).mean() for a, b in zip(one, other, strict=True)]
    return 100 * float(np.mean(same))
