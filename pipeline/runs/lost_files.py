"""Finished stages whose outside files are gone: weights, label maps, class tables.

What they gave is in the outputs. A stage with the recorded options stays fresh without them, as on another machine to
which runs and data were copied.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.runs import stamp
from pipeline.runs.consent import as_recorded
from pipeline.runs.run import Run
from pipeline.runs.stamp import Stamp

GONE = "gone"  # in place of the digest of what an earlier stage no longer provides


def as_finished(name: str, version: int, run: Run) -> tuple[dict[str, str], Mapping[str, object]] | None:
    """Inputs and settings of a finished stage, from its stamp.

    Inputs from earlier stages are the present ones. None if the stage has not finished with the present options, or is
    stale for another reason than a file that is gone.
    """
    made = run.stamp(name)
    if made is None or not as_recorded(name, run, made):
        return None
    inputs = _inputs(made, run)
    stale = stamp.why_stale(run.paths.folder(name), name, version, inputs, made.config)
    return None if stale else (inputs, made.config)


def _inputs(made: Stamp, run: Run) -> dict[str, str]:
    """Inputs as stored: the present ones from earlier stages, the recorded ones from outside."""
    return {
        one.stored_name(made.stage): run.finished(one.stage).provides.get(one.key, GONE) if one.stage else one.digest
        for one in made.made_from
    }
