"""Main command `sorn`, also `python -m pipeline`: commands by topic.

No logic, no torch.
"""

from __future__ import annotations

import click

from pipeline.cli import datasets, environment, results, search, stages, tables, weights
from pipeline.cli.commands import Commands, examples


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog=examples("sorn status", "sorn eval synped_demo-danet --config demo", "sorn options schedule"),
)
@click.version_option(package_name="sorn")
def main() -> None:
    """Occluded person re-identification with SORN.

    A stage writes its own folder below --runs and runs only when something it depends on has changed. `make help` shows
    the same stages as make targets, which run what comes before as well.
    """


main.add_topic(
    "Stages, in order",
    stages.data,
    stages.labeler,
    stages.masks,
    stages.train,
    stages.evaluate,
    stages.status,
    stages.clean,
)
main.add_topic("Datasets and labelers", datasets.datasets, datasets.labelers)
main.add_topic(
    "Results",
    results.all_runs,
    results.report,
    results.verify,
    results.export,
    search.embed,
    search.search,
    tables.tables,
)
main.add_topic(
    "Tools", environment.options, environment.models, environment.doctor, environment.gpu_check, weights.weights
)
