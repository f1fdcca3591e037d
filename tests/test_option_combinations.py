"""Options with extreme values, alone and in pairs: a run ends well, or is refused before its first step.

The options and their values are found in their definitions, so that a new option is tried by itself. Every refusal has
an entry of REFUSALS; a run that stops for another reason, or with a traceback, fails the test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
from int8_stand_in import use_stand_in
from option_runs import BASE, QUERY_CAMERA, OptionRuns, People, Row
from option_space import covering, smallest_refused, space, usual_row

IMAGES = 8  # of the train split
WEIGHTS, MARKS, MENDED = "weights of a training", "marks of an image", "mended masks"  # in place of their paths
KNOWN: dict[str, tuple[object, ...]] = {
    "masks.image_size": ((16, 16), (32, 16), (384, 16)),
    "masks.splits": ((), ("train", "val_query", "query", "gallery")),
    "masks.shard_images": (1, 3),
    "masks.keypoints": ("none",),
    "masks.leave_out": (MARKS,),
    "masks.overrides": (MENDED,),
    "model.stripes": (2, 3, 24),
    "model.channel_sets": (2, 3, 24),
    "model.set_channels": (0, 1, 7),
    "model.head_channels": (1, 4),
    "model.semantic_channels": (1,),
    "schedule.epochs": (2,),
    "schedule.milestones": ((0,), (1, 1), (5, 9)),
    "schedule.base_lr": (1e-30, 1e-3),
    "schedule.warmup_start_lr": (1e-30, 1e-3),
    "schedule.gamma": (1e-30, 1.0),
    "train.batch_size": (2, 3, 7, 8, 9),
    "train.accumulate": (2,),
    "train.seed": (1, 2**63 - 1),
    "train.init": (WEIGHTS,),
    "eval.tau_sweep": ((), (0.5,), (0.0, 0.15, 1.0)),
    "eval.rerank_k1": (1, 1000),
    "eval.rerank_k2": (20,),
    "eval.seed": (1, 2**63 - 1),
    "eval.colour": (True, False),
    "eval.trials": (1,),
    "eval.ranked_queries": (0, 1, 3, 100),
    "eval.ranked_gallery": (1, 100),
    "eval.batch_size": (1, 3),
}
LEFT_OUT = (
    "masks.options",  # the labeler's own
    "masks.keypoint_options",
    "model.identities",  # comes from the images
    "train.compile",  # minutes, and a compiler
    "eval.segmenter",  # given with eval.visibility
    "eval.protocol",  # of a manifest
)
SPACE = space(BASE, ("masks", "model", "loss", "schedule", "train", "eval"), KNOWN, LEFT_OUT)
QUICK = {**SPACE, "train.precision": ("fp32", "auto", "bf16")}  # gradients in fp16 take seconds each on a CPU
USUAL = usual_row(SPACE)


class Values(dict[str, Any]):
    """A row of all options, which are attributes, too, as section_name."""

    def __getattr__(self, name: str) -> Any:
        return self[name.replace("_", ".", 1)]

    @property
    def rows(self) -> int:
        """Rows of the feature map."""
        return int(self.masks_image_size[0]) // 16

    @property
    def matches(self) -> bool:
        """Whether the network has features to match."""
        return bool(self.model_local_branch or self.model_global_branch)


@dataclass(frozen=True)
class Refusal:
    """A stage and its message, the rows that are refused so, and one of them."""

    said: str
    applies: Callable[[Values], object]
    example: Row


BRANCHES = {f"model.{name}_branch": False for name in ("local", "global")}
REFUSALS = [
    Refusal(
        "data: .*train.accumulate = 2: expected a divisor of train.batch_size",
        lambda v: v.train_batch_size % v.train_accumulate or v.train_batch_size < 2 * v.train_accumulate,
        {"train.accumulate": 2, "train.batch_size": 7},
    ),
    Refusal(
        "data: .*eval.rerank_k2 = .* expected 1 to eval.rerank_k1",
        lambda v: v.eval_rerank_k2 > v.eval_rerank_k1,
        {"eval.rerank_k1": 1, "eval.rerank_k2": 20},
    ),
    Refusal(
        "data: .*train.keep = 'best': expected last, unless validate_every",
        lambda v: v.train_keep == "best" and not v.train_validate_every,
        {"train.keep": "best", "train.validate_every": 0},
    ),
    Refusal(
        "data: .*expected at least one of the local, global and semantic branches",
        lambda v: not (v.matches or v.model_semantic_branch),
        {**BRANCHES, "model.semantic_branch": False},
    ),
    Refusal(
        "data: .*model.part_branch = True: expected false without the semantic branch, and without both",
        lambda v: v.model_part_branch and not (v.model_semantic_branch and v.matches),
        {"model.part_branch": True, "model.semantic_branch": False},
    ),
    Refusal(
        "data: .*eval.place = .*: expected false, unless eval.visibility",
        lambda v: v.eval_place and v.eval_visibility != "network",
        {"eval.place": True, "eval.visibility": "pose"},
    ),
    Refusal(
        "data: .*eval.place = 'either': expected false or true with eval.rerank or eval.tracks",
        lambda v: v.eval_place == "either" and (v.eval_rerank or v.eval_tracks),
        {"eval.place": "either", "eval.rerank": True},
    ),
    Refusal(
        "train: model.stripes = .* divides the rows of the feature map, and images of .* have",
        lambda v: v.model_stripes > v.rows and (v.model_local_branch or not v.model_global_branch),
        {"model.stripes": 2, "masks.image_size": (16, 16)},
    ),
    Refusal(
        "train: model.channel_sets = .* divides the rows of the feature map, and images of .* have",
        lambda v: v.model_channel_sets > v.rows and v.model_global_branch,
        {"model.channel_sets": 24},
    ),
    Refusal(
        "masks: masks.overrides = .* holds no mask of a labelled image",
        lambda v: v.masks_overrides and "train" not in v.masks_splits,
        {"masks.overrides": MENDED, "masks.splits": ()},
    ),
    Refusal(
        "train: 8 of 8 images of split 'train' have no part labels",
        lambda v: v.model_semantic_branch and "train" not in v.masks_splits,
        {"masks.splits": ()},
    ),
    Refusal(
        "train: .*pieces cannot share equally",
        lambda v: v.train_accumulate > 1 and v.train_last_batch == "keep" and IMAGES % v.train_batch_size,
        {"train.accumulate": 2, "train.last_batch": "keep", "train.batch_size": 6},
    ),
    Refusal(
        "train: the train split has 8 images, fewer than one batch of 9",
        lambda v: v.train_batch_size > IMAGES and v.train_last_batch == "drop",
        {"train.batch_size": 9},
    ),
    Refusal(
        "train: train.validate_every = .* only the semantic branch has none",
        lambda v: v.train_validate_every and not v.matches,
        BRANCHES,
    ),
    Refusal(
        "train: .*weights of another backbone",
        lambda v: v.train_init == WEIGHTS and v.model_backbone != "resnet10",
        {"train.init": WEIGHTS, "model.backbone": "resnet18"},
    ),
    Refusal(
        "eval: .*has only the semantic branch, so it has no features",
        lambda v: not v.matches,
        {**BRANCHES, "train.validate_every": 0},
    ),
    Refusal(
        "eval: eval.visibility = pose needs keypoints",
        lambda v: v.eval_visibility == "pose" and v.masks_keypoints == "none",
        {"eval.visibility": "pose", "masks.keypoints": "none"},
    ),
    Refusal(
        "eval: .*has no local branch, and so no stripes",
        lambda v: v.eval_visibility == "segmenter" and not v.model_local_branch,
        {"eval.visibility": "segmenter", "model.local_branch": False},
    ),
    Refusal(
        "eval: eval.place puts pictures where .* predicts",
        lambda v: v.eval_place and not (v.model_semantic_branch and v.model_labels == 8),
        {"eval.place": True, "model.labels": 5},
    ),
    Refusal("eval: eval.tracks = true, and .* knows no tracks", lambda v: v.eval_tracks, {"eval.tracks": True}),
    Refusal(
        f"eval: .*has {IMAGES} training images, and int8 takes its ranges from",
        lambda v: v.eval_precision == "int8",
        {"eval.precision": "int8"},
    ),
]


def refusals(row: Row) -> list[str]:
    """Messages with which a row of all options may be refused."""
    values = Values(row)
    return [refusal.said for refusal in REFUSALS if refusal.applies(values)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OptionRuns]:
    with pytest.MonkeyPatch.context() as patch:
        use_stand_in(patch)
        yield OptionRuns(tmp_path_factory.mktemp("options"))


def require_good_end(runs: OptionRuns, row: Row) -> str:
    """Run a row: it ends well, or is refused as one of REFUSALS says, before the first step of the stage."""
    given = {option: value for option, value in row.items() if value != USUAL.get(option)}
    if given.get("train.init") == WEIGHTS:
        given["train.init"] = str(runs.training((64, 32)) / "model.safetensors")
    places = {MARKS: runs.folder / "marks.csv", MENDED: runs.folder / "mended"}
    given |= {option: str(places[str(value)]) for option, value in given.items() if str(value) in places}
    ended, expected = runs.run(given), refusals(USUAL | dict(row))
    said = f"{ended.stage}: {ended.refusal}"
    if expected:
        assert any(re.match(pattern, said, re.DOTALL) for pattern in expected), f"{given}\n{said}\n{expected}"
        assert ended.stage == "eval" or not ended.begun, f"{given}\n{said}"
    elif not (may_diverge(Values(USUAL | dict(row))) and said.startswith("train: training diverged")):
        assert ended.begun and not ended.refusal, f"{given}\n{said}"
    return said


def may_diverge(values: Values) -> bool:
    """Whether fifty norms over a batch of one position, from random weights, may have gradients without bounds."""
    deep = values.model_backbone in ("mobilenet_v2", "efficientnet_lite0")
    return bool(deep and values.rows == 1 and values.train_init == "none")


def test_every_option_is_tried_with_two_values_at_least() -> None:
    for option, values in SPACE.items():
        assert len(values) > 1, f"{option}: add values to KNOWN"


def test_every_value_runs_to_the_end(runs: OptionRuns) -> None:
    for row in covering(SPACE, 1, refusals):
        require_good_end(runs, row)


def test_some_pairs_of_values_run_to_the_end(runs: OptionRuns) -> None:
    for row in islice(covering(QUICK, 2, refusals), 5):
        require_good_end(runs, row)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.said)
def test_what_is_refused_is_refused_before_the_first_step(runs: OptionRuns, refusal: Refusal) -> None:
    assert refusal.said in refusals(USUAL | dict(refusal.example))
    assert re.match(refusal.said, require_good_end(runs, refusal.example), re.DOTALL)


SMALLEST = {
    # People, and how a run on them ends: the message of the stage that refuses, or "".
    "one person": (People((1, 8)), "data: .*train has one identity only"),
    "one person to find": (People((2, 4), (1, 1), (1, 2)), ""),
    "one image of each person": (People((8, 1), (2, 1), (2, 1)), ""),
    "one picture in the gallery": (People((2, 4), (1, 1), (1, 1)), ""),
    "a query without a match": (People((2, 4), (3, 1), (2, 1)), "data: .* 1 identities of query are not in gallery"),
    "one camera": (People((2, 4), (1, 1), (2, 2), cameras=(QUERY_CAMERA,)), "data: .* one camera only"),
}
FULL = {
    "eval.colour": True,
    "eval.rerank": True,
    "eval.ranked_queries": 8,
    "eval.visibility": "pose",
    "train.last_batch": "keep",
    "train.keep": "best",
    "model.stripes": 3,
}


@pytest.mark.parametrize("row", [{}, FULL, {**FULL, "eval.shots": 1, "eval.rerank_k2": 20}], ids=["", "all", "shots"])
@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_data_run_to_the_end(tmp_path: Path, name: str, row: Row) -> None:
    people, expected = SMALLEST[name]
    ended = OptionRuns(tmp_path, people).run(row)
    said = f"{ended.stage}: {ended.refusal}"
    if expected:
        assert re.match(expected, said, re.DOTALL) and not ended.begun, said
    else:
        assert not ended.refusal and ended.begun == 2, said


@pytest.mark.slow
def test_all_pairs_of_values_run_to_the_end_or_are_refused(runs: OptionRuns) -> None:
    wrong = []
    for row in chain(covering(SPACE, 2, refusals), smallest_refused(SPACE, refusals)):
        try:
            require_good_end(runs, row)
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n\n".join(wrong)
