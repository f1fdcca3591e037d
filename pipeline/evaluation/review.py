"""Review of an evaluation: its warnings.

A new warning is one entry of CHECKS. Each check is cheap, and silent on the datasets as published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.datasets.findings import NO_OTHER_CAMERA
from pipeline.errors import first_names
from pipeline.evaluation.certainty import MAIN, Certainty
from pipeline.evaluation.figures import HEADLINE, measured, percent
from pipeline.evaluation.origin import Origin
from pipeline.evaluation.scores import Scores
from pipeline.evaluation.warnings import EvaluationWarning, few_persons
from pipeline.runs.config import EvalConfig
from sorn.colour import VARIANTS as COLOURS
from sorn.config import OF_PAPER
from sorn.rules import indicators

FEW_STEPS = 100
FEW_DRAWS = 10
HIGH_CHANCE = 0.1  # rank-1 of a random order


@dataclass(frozen=True)
class Reviewed:
    """One evaluation.

    single_shot: whether one gallery image per person was drawn. unreadable: names of images of query and gallery that
    are left out. certainty: None where the pairs tell no rates.
    """

    scores: Scores
    options: EvalConfig
    origin: Origin
    single_shot: bool = False
    unreadable: tuple[str, ...] = ()
    certainty: Certainty | None = None

    @property
    def fullest(self) -> str:
        """The last variant of the paper."""
        return [name for name in OF_PAPER if name in self.scores.metrics][-1]

    def training(self, section: str) -> Mapping[str, Any]:
        """Options of the training; empty where its description lacks them."""
        found = self.origin.training.get(section)
        return found if isinstance(found, dict) else {}


Check = Callable[[Reviewed], list[EvaluationWarning]]


def review(reviewed: Reviewed) -> tuple[EvaluationWarning, ...]:
    """All warnings, in the order of CHECKS."""
    return tuple(warning for check in CHECKS for warning in check(reviewed))


def _dataset(reviewed: Reviewed) -> list[EvaluationWarning]:
    """Warnings of the data stage."""
    return [EvaluationWarning(finding.wrong, finding.remedy) for finding in reviewed.origin.findings]


def _unreadable(reviewed: Reviewed) -> list[EvaluationWarning]:
    names = reviewed.unreadable
    if not names:
        return []
    text = f"unreadable images are left out: {len(names):,}, {first_names(names)}"
    return [EvaluationWarning(text, "Queries and gallery are not those of the whole dataset.")]


def _skipped(reviewed: Reviewed) -> list[EvaluationWarning]:
    """Queries without a match, unless the data stage has said so."""
    scores = reviewed.scores
    names = [str(name) for name in scores.query.name[~scores.relevant.usable]]
    if not names or any(NO_OTHER_CAMERA in finding.wrong for finding in reviewed.origin.findings):
        return []
    text = f"{len(names):,} of {len(scores.query):,} queries have no match in the gallery: {first_names(names)}"
    return [EvaluationWarning(text, "They are left out of every figure.")]


def _persons(reviewed: Reviewed) -> list[EvaluationWarning]:
    scores = reviewed.scores
    return few_persons(len(set(scores.query.pid[scores.relevant.usable].tolist())))


def _chance(reviewed: Reviewed) -> list[EvaluationWarning]:
    chance = reviewed.scores.chance["rank-1"]
    if chance < HIGH_CHANCE:
        return []
    return [
        EvaluationWarning(
            f"a random order reaches a rank-1 of {percent(chance)} % here",
            "The gallery is so small that a high figure says little.",
        )
    ]


def _draws(reviewed: Reviewed) -> list[EvaluationWarning]:
    draws = next(iter(reviewed.scores.metrics.values())).trials
    if not reviewed.single_shot or draws >= FEW_DRAWS:
        return []
    return [
        EvaluationWarning(
            f"the gallery was drawn {'once' if draws == 1 else f'{draws} times'} only",
            "Another draw gives other figures; eval.trials sets their number, usually 100.",
        )
    ]


def _stripes(reviewed: Reviewed) -> list[EvaluationWarning]:
    """Whether every stripe, or none, counts in every pair."""
    scores, tau = reviewed.scores, reviewed.options.tau
    if "sorn" not in scores.metrics or not scores.query.local.shape[1]:
        return []
    second = [scores.query.second.bank] if scores.query.second else []
    visible = [indicators(bank.visibility, tau) > 0 for bank in (scores.query, *second, scores.gallery)]
    if all(found.all() for found in visible):
        branch = reviewed.options.visibility != "network" or reviewed.origin.model.semantic_branch
        text = f"no stripe of any image is hidden at tau {tau:g}"
        text += "" if branch else ": the network has no semantic branch"
        same = "sorn answers as global+local"
    elif not any(found.any() for found in visible):
        text, same = f"every stripe of every image is hidden at tau {tau:g}", "sorn compares no stripe"
    else:
        return []
    return [EvaluationWarning(text, f"So {same}: nothing of SORN's matching by visible stripes is measured.")]


def _rerank(reviewed: Reviewed) -> list[EvaluationWarning]:
    names = [name for name in reviewed.scores.metrics if name.endswith("+rerank")]
    why = "A search for one person alone cannot reach them; compare them with re-ranked figures only."
    return [EvaluationWarning(f"the answers of {name} depend on all queries together", why) for name in names]


def _training(reviewed: Reviewed) -> list[EvaluationWarning]:
    """Whether the network was trained for too short a time to judge it."""
    schedule, steps = reviewed.training("schedule"), _steps(reviewed)
    found = []
    if steps is not None and steps < FEW_STEPS:
        text = f"the network was trained for {steps} {'step' if steps == 1 else 'steps'} only"
        found.append(EvaluationWarning(text, "That is too short to judge the method by its figures."))
    epochs, warmup = schedule.get("epochs"), schedule.get("warmup_epochs")
    if epochs and warmup and epochs <= warmup:
        text = f"the training ended within its warm-up: schedule.epochs = {epochs}, schedule.warmup_epochs = {warmup}"
        found.append(EvaluationWarning(text, "Its learning rate never reached schedule.base_lr."))
    return found


def _steps(reviewed: Reviewed) -> int | None:
    """Steps until the weights were kept; None where the description of the training does not tell."""
    images, train = reviewed.origin.training_images, reviewed.training("train")
    epochs, size = reviewed.training("schedule").get("epochs"), train.get("batch_size")
    if not images or not epochs or not size:
        return None
    best = reviewed.training("best").get("epoch")
    of_epoch = images // size + (train.get("last_batch") == "keep" and images % size > 0)
    return int((epochs if best is None else best + 1) * of_epoch)


def _chosen(reviewed: Reviewed) -> list[EvaluationWarning]:
    """Whether the split that chose the weights is the one that is reported."""
    origin = reviewed.origin
    own = origin.trained_dataset == origin.manifest.name
    if reviewed.options.split != "val" or not own or reviewed.training("train").get("keep") != "best":
        return []
    why = "Figures of the split that chose are too high: report those of eval.split=test."
    return [EvaluationWarning("this validation split chose the weights (train.keep = best)", why)]


def _labels(reviewed: Reviewed) -> list[EvaluationWarning]:
    """Whether most training images had no label for the branch that scores the stripes."""
    labels, model = reviewed.origin.labels, reviewed.origin.model
    if labels is None or not model.semantic_branch or reviewed.options.visibility != "network":
        return []
    images, status = labels.statistics.images, labels.statistics.status
    without = sum(status.get(kind, 0) for kind in ("empty", "unlabeled", "unreadable"))
    if 2 * without <= images:
        return []
    text = f"{without:,} of {images:,} training images have no label"
    return [EvaluationWarning(text, "The branch that scores the stripes learnt from the others alone.")]


def _floor(reviewed: Reviewed) -> list[EvaluationWarning]:
    """Whether the network lies below what needs no training: colours, or a random order."""
    scores, name = reviewed.scores, reviewed.fullest
    reached = measured(scores.metrics[name])
    colour = scores.metrics.get(COLOURS[0])
    floors = {"a random order": (scores.chance, "The network has learnt nothing that finds a person.")}
    if colour is not None:
        floors["colour histograms"] = (measured(colour), "The network has learnt less than the colours of clothes.")
    found = []
    for floor, (figures, why) in floors.items():
        below = [f.title for f in HEADLINE if reached[f.key] < figures[f.key]]
        if below:
            pairs = (f"{key} {percent(reached[key])} against {percent(figures[key])} %" for key in below)
            found.append(EvaluationWarning(f"{name} lies below {floor}: {', '.join(pairs)}", why))
    return found


def _thresholds(reviewed: Reviewed) -> list[EvaluationWarning]:
    """Whether a threshold that was chosen on other pairs has more wrong pairs here than were asked for."""
    rows = reviewed.certainty.main() if reviewed.certainty else []
    of_search = {
        row.chosen_on: row for row in rows
    }  # the last one: by the number of stripes in common, where there is one
    found = []
    for place, row in of_search.items():
        rate = row.false_match
        if rate.low is not None and rate.low > MAIN:
            interval = f"{percent(rate.value)} % [{percent(rate.low)}, {percent(rate.high)}]"
            text = f"the threshold for a false-match rate of {percent(MAIN)} % on {place} gives {interval} here"
            why = "Choose thresholds on pictures of the cameras that they are meant for."
            found.append(EvaluationWarning(text, why))
    return found


CHECKS: tuple[Check, ...] = (
    _floor,
    _dataset,
    _unreadable,
    _skipped,
    _persons,
    _chance,
    _draws,
    _stripes,
    _rerank,
    _training,
    _labels,
    _chosen,
    _thresholds,
)
