"""Warnings of an evaluation: each stands where it is true, and none where all is as usual."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from record_tables import table_of
from sample_report import LABELS

from pipeline.datasets.findings import NO_OTHER_CAMERA
from pipeline.datasets.manifest import Manifest, Protocol
from pipeline.datasets.records import Finding
from pipeline.evaluation import scores
from pipeline.evaluation.origin import Origin
from pipeline.evaluation.report import TrainingLabels
from pipeline.evaluation.review import Reviewed, review
from pipeline.runs.config import EvalConfig
from pipeline.runs.made_by import MadeBy
from sorn.config import SORNConfig
from sorn.features import FeatureBank

PERSONS = 30
ALL = Protocol("default", "All.")
OPTIONS = EvalConfig(tau_sweep=(), ranked_queries=2)
TRAINING: dict[str, Any] = {
    "train": {"batch_size": 32, "last_batch": "drop", "keep": "last"},
    "schedule": {"epochs": 8, "warmup_epochs": 1},
    "best": None,
}
ORIGIN = Origin(
    manifest=Manifest("mine", "Mine"),
    records=table_of([]),
    findings=(),
    labels=TrainingLabels(MadeBy("danet"), LABELS),
    model=SORNConfig(),
    training=TRAINING,
    trained_on="mine-danet",
    trained_dataset="mine",
    training_images=1000,
    command="",
    stamps={},
    versions={},
)


def bank(split: str, camera: int, persons: int = PERSONS, noise: float = 0.1, images: int = 1) -> FeatureBank:
    """Persons 0, 1, ... with features near their own; the lowest stripe of every third is hidden."""
    pid = np.repeat(np.arange(persons), images)
    rng = np.random.default_rng(camera)
    local, whole = (
        np.random.default_rng(7).normal(size=(persons, *shape))[pid] + noise * rng.normal(size=(len(pid), *shape))
        for shape in ((3, 8), (8,))
    )
    visibility = np.ones((len(pid), 3), np.float32)
    visibility[::3, 2] = 0
    names = np.array([f"{split}/{i:02d}.jpg" for i in range(len(pid))])
    cameras = np.full(len(pid), camera)
    return FeatureBank(whole.astype(np.float32), local.astype(np.float32), visibility, pid, cameras, names)


QUERY, GALLERY = bank("query", 0), bank("gallery", 1, PERSONS + 10)


def reviewed(
    query: FeatureBank = QUERY,
    gallery: FeatureBank = GALLERY,
    colours: tuple[FeatureBank, FeatureBank] | None = None,
    protocol: Protocol = ALL,
    options: dict[str, Any] | None = None,
    **origin: Any,
) -> Reviewed:
    config = dataclasses.replace(OPTIONS, **(options or {}))
    task = scores.RankingTask(query, gallery, protocol, config)
    found = scores.score(task, [], colours)
    return Reviewed(found, config, dataclasses.replace(ORIGIN, **origin), bool(protocol.shots))


def told(one: Reviewed) -> list[str]:
    return [str(warning) for warning in review(one)]


def with_visibility(found: FeatureBank, value: float) -> FeatureBank:
    return dataclasses.replace(found, visibility=np.full_like(found.visibility, value))


def trained(**sections: Any) -> dict[str, Any]:
    return {**TRAINING, **{name: {**(TRAINING[name] or {}), **changes} for name, changes in sections.items()}}


def test_a_usual_evaluation_has_none() -> None:
    assert told(reviewed()) == []


def test_what_the_data_stage_says_is_told_with_its_remedy() -> None:
    assert told(reviewed(findings=(Finding("warning", "3 are missing", "Copy them."),))) == [
        "3 are missing. Copy them."
    ]


def test_images_left_out_are_named() -> None:
    one = dataclasses.replace(reviewed(), unreadable=("query/a", "query/b", "query/c", "query/d"))
    (line,) = told(one)
    assert line.startswith("unreadable images are left out: 4, query/a, query/b, query/c, ....")


def test_a_query_without_a_match_is_named_once() -> None:
    query = dataclasses.replace(QUERY, pid=np.where(QUERY.pid == 4, 99, QUERY.pid))
    (line,) = told(reviewed(query))
    assert line == "1 of 30 queries have no match in the gallery: query/04.jpg. They are left out of every figure."
    said = Finding("warning", f"1 of 30 images of query {NO_OTHER_CAMERA} gallery: query/04.jpg")
    assert told(reviewed(query, findings=(said,))) == [f"{said.wrong}."]


@pytest.mark.parametrize(("persons", "said"), [(20, False), (19, True), (4, True)])
def test_few_persons_are_told(persons: int, said: bool) -> None:
    query = bank("query", 0, persons)
    assert any(f"the figures are of {persons} persons only" in line for line in told(reviewed(query))) is said


def test_persons_count_not_their_images() -> None:
    assert "of 4 persons only" in told(reviewed(bank("query", 0, 4, images=10)))[0]


def test_a_gallery_in_which_chance_finds_the_person_is_told() -> None:
    one = reviewed(gallery=bank("gallery", 1, 4))
    assert any(line.startswith("a random order reaches a rank-1 of 25.0 % here") for line in told(one))


@pytest.mark.parametrize(("trials", "said"), [(1, "drawn once only"), (4, "drawn 4 times only"), (100, "")])
def test_few_draws_are_told(trials: int, said: str) -> None:
    lines = told(reviewed(protocol=Protocol("one", "One.", shots=1, trials=trials)))
    assert [said in line for line in lines] == ([True] if said else [])


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, "no stripe of any image is hidden"), (0.0, "every stripe of every image is hidden")]
)
def test_stripes_that_are_all_alike_measure_nothing_of_the_matching(value: float, said: str) -> None:
    banks = with_visibility(QUERY, value), with_visibility(GALLERY, value)
    (line,) = told(reviewed(*banks))
    assert line.startswith(f"{said} at tau 0.15") and "nothing of SORN's matching" in line
    assert told(reviewed(QUERY, banks[1])) == [], "the queries' own are hidden"


def test_a_threshold_of_zero_hides_nothing() -> None:
    assert "no stripe of any image is hidden at tau 0." in told(reviewed(options={"tau": 0.0}))[0]


def test_a_network_without_semantic_branch_hides_nothing_by_itself() -> None:
    banks = with_visibility(QUERY, 1), with_visibility(GALLERY, 1)
    model = SORNConfig(semantic_branch=False)
    assert "the network has no semantic branch" in told(reviewed(*banks, model=model))[0]
    others = {"visibility": "segmenter", "segmenter": "x"}
    assert "semantic branch" not in told(reviewed(*banks, model=model, options=others))[0]


def test_a_network_without_stripes_has_none_to_hide() -> None:
    none = [
        dataclasses.replace(found, local=found.local[:, :0], visibility=found.visibility[:, :0])
        for found in (QUERY, GALLERY)
    ]
    assert told(reviewed(*none)) == []


def test_reranked_answers_depend_on_all_queries() -> None:
    (line,) = told(reviewed(options={"rerank": True}))
    assert line.startswith("the answers of sorn+rerank depend on all queries together.")


@pytest.mark.parametrize(
    ("images", "train", "schedule", "best", "said"),
    [
        (17, {"batch_size": 4}, {"epochs": 1, "warmup_epochs": 0}, None, "for 4 steps only"),
        (17, {"batch_size": 4, "last_batch": "keep"}, {"epochs": 1, "warmup_epochs": 0}, None, "for 5 steps only"),
        (32, {}, {"epochs": 1, "warmup_epochs": 0}, None, "for 1 step only"),
        (1000, {"keep": "best"}, {}, {"epoch": 2, "mAP": 0.1}, "for 93 steps only"),
        (100_000, {}, {"epochs": 3, "warmup_epochs": 10}, None, "ended within its warm-up: schedule.epochs = 3"),
        (None, {"batch_size": 4}, {"epochs": 1, "warmup_epochs": 0}, None, ""),
    ],
)
def test_a_short_training_is_told(
    images: int | None, train: dict[str, Any], schedule: dict[str, Any], best: Any, said: str
) -> None:
    training = {**trained(train=train, schedule=schedule), "best": best}
    lines = told(reviewed(training=training, training_images=images))
    assert [said in line for line in lines] == ([True] if said else [])


def test_a_training_that_tells_nothing_of_itself_is_not_judged() -> None:
    assert told(reviewed(training={"model": {}})) == []


def test_labels_that_are_mostly_empty_are_told() -> None:
    statistics = dataclasses.replace(LABELS, images=1000, status={"ok": 400, "empty": 600})
    (line,) = told(reviewed(labels=TrainingLabels(MadeBy("danet"), statistics)))
    assert line.startswith("600 of 1,000 training images have no label.")
    assert told(reviewed(labels=None)) == []


def test_a_split_that_chose_the_weights_is_told() -> None:
    chosen = {"training": trained(train={"keep": "best"})}
    assert "chose the weights" in told(reviewed(options={"split": "val"}, **chosen))[0]
    assert told(reviewed(**chosen)) == [] and told(reviewed(options={"split": "val"})) == []
    assert told(reviewed(options={"split": "val"}, trained_dataset="other", **chosen)) == []


def noisy(found: FeatureBank) -> FeatureBank:
    rng = np.random.default_rng(len(found))
    return dataclasses.replace(
        found,
        local=rng.normal(size=found.local.shape).astype(np.float32),
        global_=rng.normal(size=found.global_.shape).astype(np.float32),
    )


def test_a_network_below_the_colours_is_told_so() -> None:
    network, colours = (noisy(QUERY), noisy(GALLERY)), (QUERY, GALLERY)
    lines = told(reviewed(*network, colours=colours))
    assert lines[-1].startswith("sorn lies below colour histograms: rank-1 ") and "mAP " in lines[-1]
    assert lines[-1].endswith("The network has learnt less than the colours of clothes.")
    assert told(reviewed(colours=network)) == [], "above them there is nothing to say"


def test_a_network_that_orders_worse_than_chance_is_told_so() -> None:
    """Features of everybody are those of the next person."""
    shifted = dataclasses.replace(QUERY, local=np.roll(QUERY.local, 1, 0), global_=np.roll(QUERY.global_, 1, 0))
    (line,) = told(reviewed(shifted))
    assert line.startswith("sorn lies below a random order: rank-1 0.0 against 2.5 %")
