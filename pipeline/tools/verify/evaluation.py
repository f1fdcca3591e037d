"""Consistency of the files of an evaluation.

Reads features.h5, report.json and queries.csv.
"""

from __future__ import annotations

from pipeline.datasets.manifest import QUERY_SPLITS
from pipeline.evaluation.per_query import agree, read_query_results
from pipeline.evaluation.report import Report, read_report
from pipeline.features.store import SIDES, Banks, read_banks
from pipeline.io.text import parse_json
from pipeline.io.texts import Texts
from pipeline.runs.checkpoint_info import CheckpointInfo
from pipeline.runs.config import EvalConfig
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runs.stamp import Stamp
from pipeline.runs.stored_options import as_json
from pipeline.tools.verify.checks import Checks
from pipeline.tools.verify.stages import Images, SplitImages


def evaluation(
    paths: Paths, made: Stamp, trained: CheckpointInfo | None, readable: Images | None, checks: Checks
) -> None:
    """Compare the files of an evaluation with each other.

    trained: config.json of the training. readable: the readable images of the shards. Each is None if it is missing or
    broken.
    """
    banks = _bank(paths, made, trained, readable, checks) if checks.sound(paths.features) else None
    if not checks.sound(paths.report_json):
        return
    with checks.reading(paths.report_json):
        report = read_report(paths.report_json)
        if banks is not None:
            _report(paths, made, report, banks, checks)
        if checks.sound(paths.query_results):
            _queries(paths, report, banks, checks)


def _bank(
    paths: Paths, made: Stamp, trained: CheckpointInfo | None, readable: Images | None, checks: Checks
) -> Banks | None:
    path = paths.features
    with checks.reading(path):
        banks = read_banks(path)
        wrong = f"{path} was extracted with another checkpoint than the one this stage was made from"
        checks.must(banks.attrs["checkpoint_sha256"] == made.inputs.get("checkpoint"), wrong, path)
        if trained is not None:
            wrong = f"{path} was extracted with another network than {paths.train_config} describes"
            checks.must(parse_json(banks.attrs["config"])["model"] == trained.stored_model, wrong, path)
        if "segmenter" in made.inputs:
            found = parse_json(banks.attrs["segmenter"])["checkpoint_sha256"]
            wrong = f"{path} holds the scores of another segmenter than this stage was made with"
            checks.must(found == made.inputs["segmenter"], wrong, path)
        splits = {one.key for one in made.made_from if one.stage == "masks"}
        asked = next((split for split in QUERY_SPLITS if split in splits), "")
        for side, split in zip(SIDES, (asked, QUERY_SPLITS.get(asked, "")), strict=True):
            if readable is not None and split in readable:
                bank = getattr(banks, side)
                ours = SplitImages(Texts(bank.name.tolist()), bank.pid, bank.camid)
                wrong = f"{path}: {side} is of other images or ids than the shards of {split}"
                checks.must(ours == readable[split], wrong, path)
        return banks
    return None


def _report(paths: Paths, made: Stamp, report: Report, banks: Banks, checks: Checks) -> None:
    path, said = paths.report_json, report.provenance
    wrong = f"{path} is of another checkpoint than {paths.features.name}"
    checks.must(said.checkpoint_sha256 == banks.attrs["checkpoint_sha256"], wrong, path)
    wrong = f"{path} is of other features than {paths.features.name}"
    checks.must(said.features == parse_json(banks.attrs["config"]), wrong, path)
    stamped = {**as_json(EvalConfig()), **made.options("eval"), "segmenter": said.config.segmenter}
    wrong = f"{path} was made with other options than its stamp names"
    checks.must(as_json(said.config) == stamped, wrong, path)
    counted_images = {"query": report.dataset.query_images, "gallery": report.dataset.gallery_images}
    for side, prefix in _prefixes(made):
        named = sum(str(name).startswith(prefix) for name in getattr(banks, side).name)
        counted = counted_images[side]
        wrong = f"{path} counts {counted} {side} images, {paths.features.name} holds {named} of the protocol"
        checks.must(counted == named, wrong, path)


def _queries(paths: Paths, report: Report, banks: Banks | None, checks: Checks) -> None:
    path, names = paths.query_results, Run.at(paths).names
    with checks.reading(path):
        queries = read_query_results(path)
        wrong = f"{path} and {paths.report_json.name} are of two different evaluations"
        checks.must(agree(report.metrics, queries), wrong, path)
        if banks is not None:
            pids = dict(zip(banks.query.name.tolist(), banks.query.pid.tolist(), strict=True))
            known = all(
                name in pids and str(pid) in (str(pids[name]), names.person(pids[name]))
                for found in queries.values()
                for name, pid in zip(found.name.tolist(), found.pid.tolist(), strict=True)
            )
            checks.must(known, f"{path} names queries or persons that {paths.features.name} does not hold", path)


def _prefixes(made: Stamp) -> list[tuple[str, str]]:
    """Sides of the bank, each with the prefix of the names of the protocol's images."""
    protocol = made.options("protocol")
    return [(side, str(protocol[f"{side}_prefix"])) for side in SIDES]
