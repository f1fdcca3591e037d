"""Grid of the experiments for the tables: jobs x seeds.

Reads stamps, writes nothing. A job is an experiment of the run, so all jobs share the masks of the run. The driver of
the stages decides whether a stage of an experiment is fresh.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipeline.errors import UserError
from pipeline.labelers.keypoints import NONE
from pipeline.runs.command import OWN, assigned
from pipeline.runs.config_loading import load_config
from pipeline.runs.consent import RETRAIN
from pipeline.runs.layout import EXPERIMENTS
from pipeline.runs.run import Run
from pipeline.stages import driver
from pipeline.tools.tables.plan import Job, TablesPlan


@dataclass(frozen=True)
class Step:
    """One training or evaluation.

    needs: experiments that must be trained before. command: the command that runs it.
    """

    experiment: str
    stage: str
    needs: tuple[str, ...]
    run: Run
    command: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.experiment} {self.stage}"


@dataclass(frozen=True)
class Grid:
    """Grid of one run, whose options all jobs share.

    seeds: their number; the seeds are 0 to seeds - 1.
    """

    plan: TablesPlan
    stages: Mapping[str, driver.Stage]
    run: Run
    seeds: int

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UserError(f"{self.seeds} seeds", "Give 1 or more; an interval needs 2.")
        if self.run.paths.experiment or self.run.paths.trained_on:
            raise UserError(
                "the tables take no --experiment and no --trained-on: each job is an experiment of its own",
                "Leave EXPERIMENT and TRAINED_ON out.",
            )

    @staticmethod
    def experiment(job: str, seed: int) -> str:
        return f"{job}-seed{seed}"

    def why_left_out(self, job: Job) -> str:
        """Reason why the job cannot run on this dataset, "" otherwise."""
        if job.needs_pose and self.run.config.masks.keypoints == NONE:
            return "no joints: masks.keypoints = none"
        return ""

    def step(self, job: Job, seed: int, stage: str) -> Step:
        """Training or evaluation of a job. Raises UserError for invalid options."""
        experiment, evaluates = self.experiment(job.name, seed), stage == "eval"
        options = [*(job.options if evaluates else job.training_options), f"train.seed={seed}"]
        source, segmenter = (
            f"{self.run.paths.run_name}/{EXPERIMENTS}/{self.experiment(name, seed)}" if name and evaluates else ""
            for name in (job.same_training_as, job.segmenter)
        )
        if segmenter:
            options.append(f"eval.segmenter={self.run.paths.runs / segmenter / 'train'}")
        overrides = (*self.run.command.overrides, *options)
        trainings = (job.same_training_as or job.name, *([job.segmenter] if segmenter else []))
        return Step(
            experiment,
            stage,
            tuple(self.experiment(name, seed) for name in trainings) if evaluates else (),
            self.run.variant(experiment, source, tuple(options)),
            (*self._base(stage), *_sets(overrides), "--experiment", experiment, *sorted(self.run.consent))
            + (("--trained-on", source) if source else ()),
        )

    def _base(self, stage: str) -> tuple[str, ...]:
        paths, runtime = self.run.paths, self.run.config.runtime
        options = {
            "dataset": paths.dataset,
            "labeler": paths.labeler,
            "config": self.run.config_name,
            "data-root": paths.data_root,
            "runs": paths.runs,
            "workers": runtime.workers,
            "device": runtime.device,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return (sys.executable, "-m", "pipeline", stage, *words)

    def units(self, only: Iterable[str] = (), part: tuple[int, int] = (1, 1)) -> list[list[Step]]:
        """Steps in running order, grouped into independent units.

        All units of a seed come before those of the next. only: names of jobs; empty for all. part: (i, n) for every
        n-th unit from the i-th.
        """
        all_units = []
        for seed in range(self.seeds):
            for unit in self.plan.units(only):
                jobs = [job for job in unit if not self.why_left_out(job)]
                trained = [self.step(job, seed, "train") for job in jobs if not job.same_training_as]
                evaluated = [self.step(job, seed, "eval") for job in jobs if job.evaluate]
                all_units.append(trained + evaluated)
        number, count = part
        return [unit for unit in all_units if unit][number - 1 :: count]

    def why_stale(self, step: Step) -> list[str]:
        """Reasons of the driver why a step is stale; empty if fresh."""
        return driver.state(self.stages[step.stage], step.run).reasons

    def require_consent(self, steps: Iterable[Step]) -> None:
        """Check that no finished training would be replaced unasked.

        Raises UserError with their number, the first one, and the command that replaces them.
        """
        states = {step.name: driver.state(self.stages[step.stage], step.run) for step in steps}
        refused = {name: state.refused for name, state in states.items() if state.refused}
        if refused:
            name, wrong = next(iter(refused.items()))
            again = self.run.command.make("tables", *sorted(self.run.consent | {RETRAIN}))
            remedy = f"Run: {again} {assigned('SEEDS', str(self.seeds))}; or choose another folder with RUNS=."
            raise UserError(f"{len(refused)} trainings of the tables would be replaced, first {name}: {wrong}", remedy)

    def first_stale(self, job: Job, seed: int) -> tuple[Step, str] | None:
        """First stale step of an evaluation and its trainings, with the reason.

        None if all of them are fresh with the present options.
        """
        trainings = [self.plan.jobs[name] for name in (job.same_training_as or job.name, job.segmenter) if name]
        for step in [*(self.step(needed, seed, "train") for needed in trainings), self.step(job, seed, "eval")]:
            reasons = self.why_stale(step)
            if reasons:
                return step, reasons[0]
        return None

    def require_masks(self) -> None:
        """Check that the stages shared by all jobs are fresh.

        Raises UserError with the command that runs a stale stage.
        """
        for name in driver.chain(self.run):
            if name not in OWN:
                state = driver.state(self.stages[name], self.run)
                if state.reasons:
                    wrong = f"the tables need a fresh {name} stage, but {state.folder} is stale: {state.reasons[0]}"
                    raise UserError(wrong, f"`make tables` runs it first; or with these options: {state.remedy}")


def distinct(plan: TablesPlan, config_name: str, overrides: tuple[str, ...]) -> TablesPlan:
    """Plan without jobs that are equal under this configuration.

    The option eval.colour is ignored, because every job's colour figures are the same rows.
    """

    def content(job: Job) -> str:
        config = load_config(config_name, (*overrides, *job.options))
        return repr(replace(config, eval=replace(config.eval, colour=False)))

    return plan.without_repeats(content)


def _sets(options: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for option in options for word in ("--set", option))
