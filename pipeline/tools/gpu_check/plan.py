"""Rows of a check, in their order, with their time."""

from __future__ import annotations

from dataclasses import dataclass

HERE = "pipeline.tools.gpu_check"
MINUTES = 8.0  # for all rows together
PATIENCE = 10.0  # times the minutes and seconds, for a check that only pretends: a CPU may be slow, and is not measured


@dataclass(frozen=True)
class CheckRow:
    """One row of a check.

    what: that it measures, in words. call: function of a CheckSetting, "module:name". seconds: it is ended after so
    many, and not begun with less than a third of them left. needed: whether nothing can be measured without it.
    """

    name: str
    what: str
    call: str
    seconds: float
    needed: bool = False


ROWS = (
    CheckRow("device", "the device and its software", f"{HERE}.device:look", 60, needed=True),
    CheckRow(
        "reference",
        "made-up pictures, shards, and a training on the CPU in fp32",
        f"{HERE}.trainings:reference",
        120,
        needed=True,
    ),
    CheckRow(
        "training, bf16",
        "the CPU's loss curve; a training that was stopped ends with the same bits",
        f"{HERE}.trainings:in_bf16",
        90,
    ),
    CheckRow("training, fp16", "the same with scaled gradients", f"{HERE}.trainings:in_fp16", 90),
    CheckRow(
        "extraction", "features in fp32, bf16 and fp16 beside the CPU's in fp32", f"{HERE}.features:extraction", 60
    ),
    CheckRow(
        "matching", "similarities beside the CPU's; equal ones for equal pictures", f"{HERE}.features:matching", 60
    ),
    CheckRow(
        "pinned reads", "batches through page-locked memory arrive as they were read", f"{HERE}.batches:pinned", 45
    ),
    CheckRow(
        "two processes",
        "two processes on this device, with synchronised norms",
        f"{HERE}.trainings:in_two_processes",
        90,
    ),
    CheckRow(
        "labels, DANet", "a DANet trained here; its labels alone, in batches, and the CPU's", f"{HERE}.labels:danet", 75
    ),
    CheckRow(
        "labels, DensePose", "DensePose's labels alone, in batches, and the CPU's", f"{HERE}.labels:densepose", 75
    ),
    CheckRow("torch.compile", "a compiled training beside the CPU's loss curve", f"{HERE}.trainings:compiled", 120),
    CheckRow("speed", "steps and features of the paper's network on random pictures", f"{HERE}.features:speed", 60),
)
