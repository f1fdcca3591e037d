"""The stages around SORN: datasets, part masks, training, evaluation. Knows paths.

from pipeline import Run    # pipeline/cli/calls.py
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.cli.calls import RunCalls as Run

__all__ = ["Run"]


def __getattr__(name: str) -> Any:
    """Import of `Run` when it is asked for: the command line needs no such thing at its start."""
    if name == "Run":
        from pipeline.cli.calls import RunCalls

        return RunCalls
    raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
